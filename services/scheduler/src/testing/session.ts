import { randomUUID } from 'node:crypto'
import type { SessionId, SessionKey } from '../domain/ids.ts'

/** A session nobody had before, or the one of this name. */
export function session(name: string = randomUUID()) {
  return { sessionId: name as SessionId, sessionKey: name as SessionKey }
}
