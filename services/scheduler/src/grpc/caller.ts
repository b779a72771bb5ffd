import type { CallContext } from '@offstage/kit/grpc'
import type { Caller } from '../jobs/caller.ts'

/** Who calls, with what is recorded of it. */
export function callerOf({ actor, peer, path }: CallContext): Caller {
  return { ...actor, peer, call: path.slice(path.lastIndexOf('.') + 1).replace('/', '.') }
}
