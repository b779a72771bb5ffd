import type { CallContext } from '@offstage/kit/grpc'
import type { Caller } from '../values/note-act.ts'

/** Who calls, with what is noted where it is about things of others. */
export function callerOf({ actor, peer, path }: CallContext): Caller {
  return { ...actor, peer, call: path.slice(path.lastIndexOf('.') + 1).replace('/', '.') }
}
