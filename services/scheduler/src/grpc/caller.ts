import type { CallContext } from '@offstage/kit/grpc'
import type { Caller } from '../jobs/caller.ts'

const calls = new Map<string, string>()

/** Who calls, with what is recorded of it. */
export function callerOf({ actor, peer, path }: CallContext): Caller {
  return { ...actor, peer, call: calls.get(path) ?? callOf(path) }
}

/** The paths are those of the services served. */
function callOf(path: string): string {
  const call = path.slice(path.lastIndexOf('.') + 1).replace('/', '.')
  calls.set(path, call)
  return call
}
