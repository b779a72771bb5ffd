import type {
  AttemptKey,
  AttemptOrder,
  AttemptOutcome,
  AttemptRef,
  AttemptToken,
  HeartbeatData,
  KeyedAttempt,
  MessageNote,
  ProgressNote,
} from './domain/attempt.ts'
import type { LaneSlots } from './domain/lane-slots.ts'
import type { RefreshScope } from './domain/refresh-scope.ts'
import type { StopCause } from './domain/verdict.ts'

/** Where the supervisor tells what becomes of attempts: the outbox on its way to the scheduler. */
export interface AttemptReports {
  /** The attempt ended; kept until the scheduler has recorded it. */
  ended(attempt: KeyedAttempt, outcome: AttemptOutcome): void
  /** The attempt was stopped unfinished through no fault of its own: requeued at no charge. */
  handedBack(attempt: KeyedAttempt): void
  /** Nobody is to hear of the attempt any more. */
  forgotten(attempt: KeyedAttempt): void
  /** Only the newest of an attempt matters. */
  progressed(attempt: KeyedAttempt, note: ProgressNote): void
  /** The handler lives. With what the next attempt is to be given, as JSON text; the newest stands. */
  lived(attempt: KeyedAttempt, data: HeartbeatData | undefined): void
  messaged(attempt: KeyedAttempt, note: MessageNote): void
  /** The attempt began or ended to wait for children. */
  waited(attempt: KeyedAttempt, waiting: boolean): void
  /** A slot may have become free. */
  creditsChanged(): void
}

/** The way of one process of handlers to the services, where those ask for the certificate of the executor. */
export interface ProcessRelay {
  /** What its handlers dial in place of the services' addresses, in plain text. */
  readonly places: { readonly scheduler: string; readonly storage: string }
  /** What it holds of calls that nobody has taken yet; undefined where it does not say. */
  memoryBytes(): Promise<number | undefined>
  /** Idempotent. */
  close(): Promise<void>
}

/** Refreshes of reusable values between this executor and other processes. Never rejects: why it could not is an answer too. */
export interface RefreshesElsewhere {
  /** Tells others that values were refreshed here. */
  passOn(scope: RefreshScope): Promise<string | undefined>
  /** Has everything told here that was refreshed up to an epoch, which may be one that there is not. */
  reach(epoch: number): Promise<string | undefined>
  /** Up to which everything has been told here; undefined before the first contact. */
  readonly epoch: number | undefined
}

/** Who runs attempts: the supervisor on its lanes of threads, or the process of a caller. */
export interface Attempts {
  /** The attempts that have not ended. */
  readonly running: Iterable<AttemptRef>
  /** How many ended in which way since the start. */
  readonly counts: { readonly finished: number; readonly handedBack: number }
  has(key: AttemptKey): boolean
  start(order: AttemptOrder): void
  /** Tells an attempt to stop; after the grace it is over, whatever its handler does. */
  stop(key: AttemptKey, cause: StopCause, graceMs: number): void
  stopAll(cause: StopCause, graceMs: number): void
  lane(name: AttemptOrder['lane']): { readonly slots: LaneSlots }
  /** Resolves when nothing runs. */
  idle(): Promise<void>
}

/** Gets the token by which the handler of an attempt acts. Never rejects. */
export type IssueToken = (
  ref: AttemptRef,
  rights: { readonly privileged: boolean },
) => Promise<AttemptToken>
