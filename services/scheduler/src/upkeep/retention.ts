/**
 * Removes finished jobs that retention keeps no longer (row J12), behind all other work: a part at a time on one connection, with
 * pauses in between that grow with what the database has to do otherwise.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Retention, retentionInForce } from '../domain/retention.ts'
import type { FinishedGroup, NamespaceStore, RetentionStore } from '../ports.ts'

export interface RetentionSweepOptions {
  readonly retention: RetentionStore
  readonly namespaces: Pick<NamespaceStore, 'read'>
  readonly everyMs: number
}

/** Some 20 ms of one connection. Fewer, and on a busy machine more is waited than removed, and jobs end faster than they go. */
const BATCH = 2_000
/** Pauses in parts of the work before them. */
const REST = 0.5

export function createRetentionSweep({ retention, namespaces, everyMs }: RetentionSweepOptions) {
  /** Until fewer are there than were asked for; whether it has removed as many as it was to. */
  const removeAll = async (
    signal: AbortSignal,
    remove: (limit: number) => Promise<number>,
    countMax = Number.POSITIVE_INFINITY,
  ): Promise<boolean> => {
    for (let left = countMax; left > 0; ) {
      const limit = Math.min(BATCH, left)
      const begin = performance.now()
      const removed = await remove(limit)
      if (removed < limit || signal.aborted) return false
      left -= removed
      await pause((performance.now() - begin) * REST)
    }
    return true
  }

  const sweepGroup = async (group: FinishedGroup, rule: Retention, signal: AbortSignal) => {
    const { ageMsMax, countMax } = rule
    await removeAll(signal, (limit) => retention.removeOlder(group, ageMsMax, limit))
    if (countMax === undefined) return
    // What has ended during a long removal is not left to the next sweep; after a short one a count costs more than it finds.
    for (let again = true; again && !signal.aborted; ) {
      const beyond = (await retention.count(group)) - countMax
      if (beyond <= 0) return
      const done = await removeAll(signal, (limit) => retention.removeOldest(group, limit), beyond)
      again = done && beyond > 4 * BATCH
    }
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
