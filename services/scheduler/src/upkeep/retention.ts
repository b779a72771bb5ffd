/**
 * Removes finished jobs that retention keeps no longer (row J12), behind all other work. No index leads to them, as every job would have
 * to enter it when it ends: the table is read from its first page to its last, again and again (retention-pass.ts).
 *
 * Invariants:
 *  1. One replica sweeps for all, and says so again and again. When it has not for two waits, another takes its place.
 *  2. Reading takes a tenth of one core at most, the longer the table the more seldom. Not so while much has to go: then jobs end fast, and
 *     a rest that grows with the table would let the table grow with the rest.
 *  3. What was counted is gone by only while this replica is the one that sweeps.
 */
import { randomUUID } from 'node:crypto'
import type { RetentionStore } from '../ports/retention.ts'
import {
  type Cuts,
  createRetentionPass,
  type PassOutcome,
  type RetentionPass,
} from './retention-pass.ts'

export interface RetentionSweepOptions {
  readonly retention: RetentionStore
  readonly everyMs: number
}

/** After so many waits without a word of the replica that sweeps. */
const LAPSED_WAITS = 2
/** A run gives way to the next one, which goes on with the same pass. */
const RUN_MS_MAX = 60_000
/** Between passes, in parts of what the last ones took (2). */
const REST = 9
/** So much beyond the counts of their groups is not left to the next sweep; after so much was removed that does not wait (2). */
const MUCH = 0.05
/** A pass this short, in parts of the wait, is repeated for any number. */
const SHORT = 0.01

export function createRetentionSweep({ retention, everyMs }: RetentionSweepOptions) {
  const sweeper = randomUUID()
  let cuts: Cuts = new Map()
  let pass: RetentionPass | undefined
  let isUrgent = false
  let restUntil = 0

  const isOurs = () => retention.beginSweep(sweeper, everyMs * LAPSED_WAITS)
  const forget = () => {
    cuts = new Map()
    pass = undefined
  }
  const isMuch = ({ beyond, ofBeyond }: PassOutcome, readMs: number) =>
    beyond > (readMs < everyMs * SHORT ? 0 : ofBeyond * MUCH)

  const sweep = async (signal: AbortSignal): Promise<void> => {
    const begin = performance.now()
    let saidAt = begin
    const may = async () => {
      const now = performance.now()
      if (signal.aborted || now - begin > RUN_MS_MAX) return false
      if (now - saidAt < everyMs / 2) return true
      saidAt = now
      const ours = await isOurs()
      if (!ours) forget()
      return ours
    }
    for (let [readMs, removed] = [0, 0]; ; ) {
      pass ??= createRetentionPass(retention, { cuts, pages: await retention.pages(), isUrgent })
      const outcome = await pass.goOn(may, signal)
      if (outcome === undefined) return
      cuts = outcome.cuts
      pass = undefined
      readMs += outcome.readMs
      removed += outcome.removed
      const goesOn = isMuch(outcome, readMs)
      isUrgent = goesOn || removed > outcome.left * MUCH
      restUntil = isUrgent ? 0 : performance.now() + readMs * REST
      if (!goesOn || !(await may())) return
    }
  }

  return async (signal: AbortSignal): Promise<void> => {
    try {
      if (!(await isOurs())) forget()
      else if (performance.now() >= restUntil) await sweep(signal)
    } catch (error) {
      forget()
      throw error
    }
  }
}
