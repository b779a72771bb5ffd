/** Leases of callers, which exclusive mode and locks are bound to. */
import type { ActBy } from '../domain/act.ts'
import type { CallerLease } from '../domain/caller-lease.ts'
import type { LeaseId } from '../domain/ids.ts'

export interface NewCallerLease extends Omit<CallerLease, 'expireTime'> {
  readonly namespace: string
  /** Empty: none. */
  readonly requestId: string
}

export interface CallerLeaseStore {
  /** The lease that lives for its request id, or a new one; undefined where its owner has too many. */
  create(lease: NewCallerLease, ownerMax: number): Promise<CallerLease | undefined>
  /** Undefined where the owner has no such lease, or it has run out. */
  renew(namespace: string, id: LeaseId, owner: string): Promise<CallerLease | undefined>
  /**
   * Ends it, if it is the owner's; undefined: whoever's it is. An end of somebody else's is recorded. Whether somebody had the namespace by it.
   */
  end(namespace: string, id: LeaseId, owner: string | undefined, by: ActBy): Promise<boolean>
  /** Removes those that have run out, at most `limit`; how many it removed. */
  removeEnded(limit: number): Promise<number>
}
