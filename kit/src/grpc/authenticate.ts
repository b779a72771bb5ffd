import type { Metadata } from '@grpc/grpc-js'

/** What a caller may do: admin everything, operator run the place, reader look, service act for others. */
export type Role = 'admin' | 'operator' | 'reader' | 'service'

/** Who is calling. */
export interface Caller {
  /** Stable id of the user, the `sub` of a token. */
  readonly user: string
  readonly roles: readonly Role[]
  readonly namespaces: readonly string[] | 'all'
}

/**
 * Establishes who is calling, before any handler sees the request. Throws a Refusal with reason
 * UNAUTHENTICATED to turn the caller away. Plain return values keep the hot path free of awaits.
 */
export type Authenticate = (metadata: Metadata, peer: string) => Caller | Promise<Caller>

const DEVELOPER = callerNamed('dev')

/**
 * Believes whoever calls: the user is the metadata entry `offstage-user`, or `dev`, and may do
 * everything. For development on a loopback address only.
 */
export function developmentAuthenticate(metadata: Metadata): Caller {
  const user = metadata.get('offstage-user')[0]
  return user === undefined ? DEVELOPER : callerNamed(String(user))
}

function callerNamed(user: string): Caller {
  return { user, roles: ['admin'], namespaces: 'all' }
}

/** Whether a server bound to this host can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
