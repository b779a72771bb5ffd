import { Turns } from '@offstage/kit/fairness'
import { overloaded } from '../refusals.ts'

/** Calls read in turn, so that those of one caller never take all connections. */
export interface ReadingTurns {
  /** Reads of some jobs, and cancels. */
  readonly reads: Turns
  /** Listings and counts, which may look at very many. */
  readonly listings: Turns
}

/** Of all callers; of one of many an equal share. */
const READS_WAITING_MAX = 20_000
const LISTINGS_WAITING_MAX = 2_000

export function createReadingTurns(limits: {
  readonly readsAtOnce: number
  readonly listingsAtOnce: number
}): ReadingTurns {
  const turns = (what: string, atOnce: number, waitingMax: number) =>
    new Turns({
      atOnce,
      // One is always free for another caller, who would else wait for the slowest of the first.
      perCaller: Math.max(1, atOnce - 1),
      waitingMax,
      refuse: () => overloaded(what),
    })
  return {
    reads: turns('reads', limits.readsAtOnce, READS_WAITING_MAX),
    listings: turns('listings', limits.listingsAtOnce, LISTINGS_WAITING_MAX),
  }
}
