/** Data locks as they are stored, and who waits for them. */
import type { ActBy } from '../domain/act.ts'
import type { Lock, LockConflict, LockRequest } from '../domain/lock.ts'
import type { WaitLink } from '../domain/wait-circle.ts'

export type LockAttempt =
  | { readonly kind: 'acquired'; readonly locks: readonly Lock[] }
  /** `place`: set where it waits now. */
  | { readonly kind: 'taken'; readonly conflict: LockConflict; readonly place: number | undefined }
  /** Waiting would never end. */
  | { readonly kind: 'deadlock'; readonly circle: readonly WaitLink[] }
  /** The attempt or the lease it is to be bound to is over. */
  | { readonly kind: 'holder-over' }

/** How a wait stands. */
export interface LockWait {
  readonly place: number
  /** Nothing is in its way any more, or its holder is over: it is to be tried again. */
  readonly isReady: boolean
}

export interface LockRelease {
  readonly namespace: string
  readonly names: readonly string[]
  /** Undefined: of whomever. */
  readonly owner: string | undefined
  /** Undefined: of any. */
  readonly attempt: { readonly jobId: string; readonly attempt: number } | undefined
  readonly fencingToken: number | undefined
}

export interface LockPage {
  readonly size: number
  readonly after: { readonly name: string; readonly fencingToken: number } | undefined
}

/** A lock with how many wait for it. */
export type ListedLock = Lock & { readonly waiting: number }

export interface LockStore {
  /** Whose job it is, and the attempt that runs; undefined where there is no such job. */
  findAttempt(
    namespace: string,
    jobId: string,
  ): Promise<{ readonly owner: string; readonly attempt: number | undefined } | undefined>
  /** Whose lease it is; undefined where there is none, or none any more. */
  findLeaseOwner(namespace: string, leaseId: string): Promise<string | undefined>
  /**
   * Takes all of them or none. Where one is taken and it `waits`, it stands in line then, at its place if it has one.
   */
  acquire(
    request: LockRequest,
    wait: { readonly place: number | undefined; readonly waits: boolean },
  ): Promise<LockAttempt>
  /** Gives up places in line. */
  withdraw(places: readonly number[]): Promise<void>
  /** Says that these still wait. */
  keepPlaces(places: readonly number[]): Promise<void>
  /** Those of the waits that are still there. */
  readWaits(places: readonly number[]): Promise<readonly LockWait[]>
  /** Those whose holders something waits for: so a circle may have been closed since. */
  readAwaited(places: readonly number[]): Promise<readonly number[]>
  /** The circle that the wait is in; undefined where it is in none. Then it has lost its place. */
  breakCircle(request: LockRequest, place: number): Promise<readonly WaitLink[] | undefined>
  /** How many there were; recorded where they are somebody else's. */
  release(which: LockRelease, by: ActBy): Promise<number>
  /** Gives back what was acquired, by its token. */
  giveBack(namespace: string, names: readonly string[], fencingToken: number): Promise<void>
  /** By name; of one owner, or of all where that is undefined. */
  list(namespace: string, owner: string | undefined, page: LockPage): Promise<ListedLock[]>
  /** Removes locks and waits that are void; how many. */
  forgetVoid(limit: number): Promise<number>
}
