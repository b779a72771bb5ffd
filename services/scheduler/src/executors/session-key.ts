import { createHash } from 'node:crypto'
import type { SessionId, SessionKey } from '../domain/ids.ts'

export interface SessionName {
  readonly user: string
  readonly namespace: string
  readonly sessionId: SessionId
}

/**
 * A session is its executor's own: by its id together with who attached and where. Ids can be read by others, in the records of
 * jobs; whoever names one that is not theirs has a session of their own, as with an id that nobody had before.
 */
export function sessionKeyOf({ user, namespace, sessionId }: SessionName): SessionKey {
  const named = JSON.stringify([user, namespace, sessionId])
  const hex = createHash('sha256').update(named).digest('hex')
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') as SessionKey
}
