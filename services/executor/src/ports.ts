import type {
  AttemptOutcome,
  AttemptRef,
  AttemptToken,
  MessageNote,
  ProgressNote,
} from './domain/attempt.ts'

/** Where the supervisor tells what becomes of attempts: the outbox on its way to the scheduler. */
export interface AttemptReports {
  /** The attempt ended; kept until the scheduler has recorded it. */
  ended(ref: AttemptRef, outcome: AttemptOutcome): void
  /** The attempt was stopped unfinished through no fault of its own: requeued at no charge. */
  handedBack(ref: AttemptRef): void
  /** Nobody is to hear of the attempt any more. */
  forgotten(ref: AttemptRef): void
  /** Only the newest of an attempt matters. Absent: the attempt is alive and nothing else. */
  progressed(ref: AttemptRef, note: ProgressNote | undefined): void
  messaged(ref: AttemptRef, note: MessageNote): void
  /** The attempt began or ended to wait for children. */
  waited(ref: AttemptRef, waiting: boolean): void
  /** A slot may have become free. */
  creditsChanged(): void
}

/** Gets the token by which the handler of an attempt acts. Never rejects. */
export type IssueToken = (
  ref: AttemptRef,
  rights: { readonly privileged: boolean },
) => Promise<AttemptToken>
