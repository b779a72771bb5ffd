/** The lease that a start names is its owner's, and lives. */
import { Refusal } from '@offstage/kit/grpc'
import type { StartCommand } from '../domain/start-command.ts'
import type { StartStore } from '../ports/starts.ts'

/** Why it cannot be started; undefined for nothing. */
export async function leaseRefusal(
  { store }: { readonly store: Pick<StartStore, 'hasLease'> },
  command: StartCommand,
): Promise<Refusal | undefined> {
  const { leaseId } = command
  if (leaseId === undefined || (await store.hasLease(command))) return undefined
  return leaseNotFound(leaseId)
}

/** Also the answer for one of somebody else. */
export function leaseNotFound(id: string): Refusal {
  return new Refusal({
    reason: 'LEASE_NOT_FOUND',
    message: `there is no lease ${id} of yours in this namespace: it has run out or was ended; ask for a new one`,
    metadata: { lease_id: id },
  })
}
