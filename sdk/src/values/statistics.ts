/**
 * What a cache has done and whether it pays (row C7).
 */

/** Why a value was dropped. `replaced`: computed anew while the old one was still held. */
export type DropCause = 'age' | 'idle' | 'bytes' | 'heap' | 'refresh' | 'closed' | 'replaced'

export const DROP_CAUSES: readonly DropCause[] = [
  'age',
  'idle',
  'bytes',
  'heap',
  'refresh',
  'closed',
  'replaced',
]

/** Running totals of one function. */
export class Counters {
  /** Calls answered from memory at once, stale answers included. */
  hits = 0
  /** Of the hits: answered with an old value while a new one is computed behind. */
  staleHits = 0
  /** Calls that started a computation, for parameters that compare by content. */
  misses = 0
  /** Computations started behind a stale hit; no calls. */
  revalidations = 0
  /** Computations that failed and were answered with the old value. */
  fallbacks = 0
  /** Callers who waited for a computation that another one had started. */
  joins = 0
  /** Calls whose parameters do not compare by content. */
  uncacheable = 0
  /** Calls of a `call` function outside of any call scope, or in a closed scope or session. */
  outsideScope = 0
  /** Results that were undefined. */
  voids = 0
  /** Results that the rule in force keeps from being shared. */
  refused = 0
  /** Results larger than the budget. */
  tooLarge = 0
  /** Results not remembered because of a refresh, or an end of scope, during the computation. */
  outdated = 0
  /** Computations that failed, background ones included. */
  failures = 0
  /** Computations aborted because every caller had left. */
  aborted = 0
  /** Time spent on computations that finished. */
  computeMs = 0
  /** Computing time that hits did not have to spend. */
  savedMs = 0
  /** Time of a lookup, from the latest sample. */
  lookupMs = 0
  /** Values remembered so far. */
  remembered = 0
  /** Of the values remembered and dropped again: never hit. */
  droppedUnused = 0
  /** Requests to the remote tier that failed; the function computed instead. */
  tierFailures = 0
  readonly drops: Record<DropCause, number> = {
    age: 0,
    idle: 0,
    bytes: 0,
    heap: 0,
    refresh: 0,
    closed: 0,
    replaced: 0,
  }

  /** A hit saves the time its value took to compute. */
  countHit(entry: { hits: number; readonly computeMs: number }): void {
    entry.hits++
    this.hits++
    this.savedMs += entry.computeMs
  }
}

/** The totals that are plain numbers. */
export type Totals = Readonly<Omit<Counters, 'drops' | 'countHit'>>

/** A snapshot of one function (row C7). */
export interface ValuesStatistics extends Totals {
  readonly name: string
  readonly drops: Readonly<Record<DropCause, number>>
  /** Values held now. */
  readonly entries: number
  /** Estimated bytes held now. */
  readonly bytes: number
  /** Mean age of the values held now; 0 when there are none. */
  readonly ageMsMean: number
  readonly verdict: Verdict
}

/**
 * Whether remembering pays:
 * - `too-early`: fewer than 100 calls.
 * - `pays`
 * - `mostly-uncacheable`: most calls or results cannot be remembered.
 * - `never-reused`: no value was ever asked for again.
 * - `too-diverse`: at least ten values are computed for each hit.
 * - `computing-cheaper`: computing takes less time than looking up.
 */
export type Verdict =
  | 'too-early'
  | 'pays'
  | 'mostly-uncacheable'
  | 'never-reused'
  | 'too-diverse'
  | 'computing-cheaper'

/** Calls before which there is no verdict. */
export const VERDICT_CALLS_MIN = 100
const MISSES_PER_HIT_MAX = 10

/**
 * The most telling reason first: what cannot be remembered, then what is not asked for again, then
 * the price.
 */
export function verdictOf(counters: Totals): Verdict {
  const { hits, joins, misses, uncacheable, outsideScope } = counters
  const calls = hits + joins + misses + uncacheable + outsideScope
  if (calls < VERDICT_CALLS_MIN) return 'too-early'
  const unremembered = counters.voids + counters.refused + counters.tooLarge
  if (uncacheable + outsideScope + unremembered > calls / 2) return 'mostly-uncacheable'
  const reuses = hits + joins
  if (reuses === 0) return 'never-reused'
  if (misses >= reuses * MISSES_PER_HIT_MAX) return 'too-diverse'
  const computed = misses + counters.revalidations - counters.failures - counters.aborted
  if (computed > 0 && counters.computeMs / computed < counters.lookupMs) return 'computing-cheaper'
  return 'pays'
}
