import type { Actor } from '@offstage/kit/auth'
import type { ActBy } from '../domain/foreign-act.ts'
import type { StorageParts } from '../ports.ts'

/** Who acts, with what is noted where it is on things of others. */
export type Caller = Actor & ActBy

/**
 * Notes that an administrator does something with what is somebody else's (row P7). Services act for others by trade, and are not
 * noted; others may not at all.
 */
export function noteAct(
  { acts }: Pick<StorageParts, 'acts'>,
  { user, roles, peer, call }: Caller,
  { target, owner, namespace }: { target: string; owner: string; namespace: string },
): void {
  if (owner === user || !roles.includes('admin')) return
  acts.note({ user, roles, peer, call, target, owner, namespace })
}
