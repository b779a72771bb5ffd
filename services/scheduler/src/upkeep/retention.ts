/**
 * Removes finished jobs that retention keeps no longer (row J12), behind all other work: a small part at a time, and a pause after
 * each that is as long as its work was dear, so that whatever else the database does goes first.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Retention, retentionInForce } from '../domain/retention.ts'
import type { FinishedGroup, NamespaceStore, RetentionStore } from '../ports.ts'

export interface RetentionSweepOptions {
  readonly retention: RetentionStore
  readonly namespaces: Pick<NamespaceStore, 'read'>
  readonly everyMs: number
}

const BATCH = 500
/** Pauses in parts of the work before them: at most a third of one connection's time is spent here. */
const REST = 2

export function createRetentionSweep({ retention, namespaces, everyMs }: RetentionSweepOptions) {
  /** Until fewer are there than were asked for. */
  const removeAll = async (
    signal: AbortSignal,
    remove: (limit: number) => Promise<number>,
    countMax = Number.POSITIVE_INFINITY,
  ): Promise<void> => {
    for (let left = countMax; left > 0 && !signal.aborted; ) {
      const limit = Math.min(BATCH, left)
      const begin = performance.now()
      const removed = await remove(limit)
      if (removed < limit) return
      left -= removed
      await pause((performance.now() - begin) * REST)
    }
  }

  const sweepGroup = async (group: FinishedGroup, rule: Retention, signal: AbortSignal) => {
    const { ageMsMax, countMax } = rule
    await removeAll(signal, (limit) => retention.removeOlder(group, ageMsMax, limit))
    if (countMax === undefined || signal.aborted) return
    const beyond = (await retention.count(group)) - countMax
    await removeAll(signal, (limit) => retention.removeOldest(group, limit), beyond)
  }

  return async (signal: AbortSignal): Promise<void> => {
    if (!(await retention.beginSweep(everyMs / 2))) return
    const groups = await retention.groups()
    for (const [namespace, ofIt] of Map.groupBy(groups, (group) => group.namespace)) {
      const rules = retentionInForce((await namespaces.read(namespace)).retention)
      for (const group of ofIt) {
        const isOf = ({ kind, state }: Retention) => kind === group.kind && state === group.state
        const rule = rules.find(isOf)
        if (rule !== undefined) await sweepGroup(group, rule, signal)
        if (signal.aborted) return
      }
    }
  }
}
