/** Leases as callers ask for them: each is for whoever made it, and to others it is not there. */
import { mayForOthers } from '@offstage/kit/auth'
import { LIMITS } from '@offstage/proto/limits'
import type { CallerLease } from '../domain/caller-lease.ts'
import type { LeaseId } from '../domain/ids.ts'
import type { Caller } from '../jobs/caller.ts'
import { leaseNotFound } from '../jobs/check-lease.ts'
import type { CallerLeaseStore } from '../ports/caller-leases.ts'
import { tooManyLeases } from './refusals.ts'

export interface AskedLease {
  readonly durationMs: number
  readonly displayName: string
  /** Empty: none. */
  readonly requestId: string
}

export interface CallerLeases {
  create(caller: Caller, namespace: string, asked: AskedLease): Promise<CallerLease>
  renew(caller: Caller, namespace: string, id: LeaseId): Promise<CallerLease>
  /** Administrators end those of others, too. Idempotent. */
  end(caller: Caller, namespace: string, id: LeaseId): Promise<void>
}

export function createCallerLeases(
  store: CallerLeaseStore,
  newId: () => string,
  gatesChanged: (namespace: string) => Promise<void>,
): CallerLeases {
  return {
    async create({ user: owner }, namespace, asked) {
      const lease = { ...asked, id: newId() as LeaseId, namespace, owner }
      const created = await store.create(lease, LIMITS.ownerLeasesMax)
      if (created === undefined) throw tooManyLeases(LIMITS.ownerLeasesMax)
      return created
    },
    async renew({ user }, namespace, id) {
      const renewed = await store.renew(namespace, id, user)
      if (renewed === undefined) throw leaseNotFound(id)
      return renewed
    },
    async end(caller, namespace, id) {
      const owner = mayForOthers(caller, 'locks.take') ? undefined : caller.user
      if (await store.end(namespace, id, owner, caller)) await gatesChanged(namespace)
    },
  }
}
