import type { SlotLane } from '../domain/lane.ts'

/** A queue, and how many of its jobs began since it was looked at last. */
export interface PacedQueue {
  readonly namespace: string
  readonly method: string
  readonly lane: SlotLane
  /** Empty: the default one. */
  readonly pool: string
  /** Its jobs that name no lane run in this one too. */
  readonly isOwnLane: boolean
  readonly starts: number
  /** For how long it has had jobs, and these were counted; undefined: not known. */
  readonly periodMs: number | undefined
}

export interface PaceStore {
  /** Those that have queued jobs, by their places. Of what has had some since it was looked at last, a sample is written. */
  record(scheduler: string, queues: readonly PacedQueue[]): Promise<ReadonlySet<number>>
  forgetOld(): Promise<void>
}
