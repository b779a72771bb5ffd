/**
 * The count of rounds by which leases are measured (ADR 0009). Each replica sees a round, lets it last its time by its own
 * steady clock, and begins the next unless another has; so no clock is compared with another, and whatever holds the
 * database up, for however long, is one round at most.
 *
 * Invariants:
 *  1. A round lasts at least `roundMs` of somebody's steady time after it began.
 *  2. While the database answers, a round lasts little longer, however often it or this replica was away in between: a
 *     look that failed is made again at the next tick, and a replica that starts goes by when the round began.
 */

import { createLoop, type Loop } from '@offstage/kit/lifecycle'
import type { AttachmentId } from '../domain/ids.ts'
import type { LeaseStore } from '../ports/executors.ts'

export interface LeaseTerms {
  readonly roundMs: number
  /** Without a renewal for so many rounds a lease is in doubt, and one round later over. */
  readonly leaseRounds: number
}

const ROUND_MS_MAX = 2_000
const ROUNDS_MIN = 6

/** One round more than the lease has, for an executor's word that waits to become a renewal. */
export function leaseTerms(leaseMs: number): LeaseTerms {
  const roundMs = Math.min(leaseMs / ROUNDS_MIN, ROUND_MS_MAX)
  return { roundMs, leaseRounds: Math.ceil(leaseMs / roundMs) + 1 }
}

/** How many rounds more than others a session has that asks for a longer lease. */
export function extraLeaseRounds(leaseMs: number, askedMs = 0): number {
  return Math.ceil(Math.max(0, askedMs - leaseMs) / leaseTerms(leaseMs).roundMs)
}

export interface LeaseRoundsOptions extends LeaseTerms {
  readonly store: Pick<LeaseStore, 'readRound' | 'beginRound'>
  /** Attachments whose lease was over when this replica began a round. */
  onLost(attachmentIds: readonly AttachmentId[]): void
  onError(error: unknown): void
}

export function createLeaseRounds(options: LeaseRoundsOptions): Loop {
  const { store, roundMs, leaseRounds } = options
  let seen: { readonly round: number; readonly sinceMs: number } | undefined

  const look = async () => {
    if (seen === undefined) {
      const { round, ageMs } = await store.readRound()
      seen = { round, sinceMs: performance.now() - Math.min(Math.max(ageMs, 0), roundMs) }
    }
    if (performance.now() - seen.sinceMs < roundMs) return
    const begun = await store.beginRound(seen.round, leaseRounds)
    const { round } = begun ?? (await store.readRound())
    seen = { round, sinceMs: performance.now() }
    if (begun !== undefined && begun.lost.length > 0) options.onLost(begun.lost)
  }

  return createLoop({
    name: 'lease rounds',
    everyMs: roundMs / 10,
    timeoutMs: 30_000,
    run: look,
    onError: options.onError,
  })
}
