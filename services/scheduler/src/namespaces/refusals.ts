/** What is said of leases of callers. */
import { Refusal } from '@offstage/kit/grpc'

/** Also the answer for one of somebody else. */
export function leaseNotFound(id: string): Refusal {
  return new Refusal({
    reason: 'LEASE_NOT_FOUND',
    message: `there is no lease ${id} of yours in this namespace: it has run out or was ended; ask for a new one`,
    metadata: { lease_id: id },
  })
}

export function tooManyLeases(max: number): Refusal {
  return new Refusal({
    reason: 'QUOTA_EXCEEDED',
    message: `you hold ${max} leases, as many as one user may; end some, or let them run out`,
    metadata: { limit: 'owner_leases', max: String(max) },
  })
}
