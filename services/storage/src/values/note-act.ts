import type { Actor } from '@offstage/kit/auth'
import type { ActBy } from '../domain/foreign-act.ts'
import type { StorageParts } from '../ports/parts.ts'

/** Who acts, with what is noted where it is on things of others. */
export type Caller = Actor & ActBy

/**
 * Records that an administrator does something with what is somebody else's (row P7), before it is done. Services act for others by trade, and are not
 * noted; others may not at all.
 */
export function noteAct(
  { acts }: Pick<StorageParts, 'acts'>,
  { user, roles, peer, call }: Caller,
  { target, owner, namespace }: { target: string; owner: string; namespace: string },
): Promise<void> | undefined {
  if (owner === user || !roles.includes('admin')) return undefined
  return acts.record({ user, roles, peer, call, target, owner, namespace })
}
