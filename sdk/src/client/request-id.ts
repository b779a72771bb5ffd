import { randomUUID } from 'node:crypto'

/**
 * A new request id (row J19): a UUID of version 7, which the scheduler takes for the job's id.
 * That saves an index and a third of the work of a start. `nowMs` is the scheduler's time
 * as far as it is known.
 */
export function createRequestId(nowMs: number): string {
  const time = Math.floor(nowMs).toString(16).padStart(12, '0')
  // What follows the version in a random UUID: the variant and 74 random bits.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

/** Listings sort by id; a clock that is off by less than this is not worth correcting for them. */
const SKEW_MS_MIN = 30_000

/**
 * By how much the scheduler's clock is ahead of `nowMs`, from the `date` header of an answer. Unknown and small
 * differences count as none: the header has whole seconds, and the answer took its time.
 */
export function clockSkewMs(date: string | undefined, nowMs: number): number {
  const skewMs = date === undefined ? Number.NaN : Date.parse(date) - nowMs
  return Math.abs(skewMs) >= SKEW_MS_MIN ? skewMs : 0
}
