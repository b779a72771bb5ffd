import { randomUUID } from 'node:crypto'
import { v7 } from 'uuid'
import type { AttachmentId, SessionId, SessionKey } from '../domain/ids.ts'

/** A session nobody had before, or the one of this name. */
export function session(name: string = randomUUID()) {
  return { sessionId: name as SessionId, sessionKey: name as SessionKey }
}

/** Of an attachment nobody had before, or the one of this name. */
export function attachmentId(name: string = v7()): AttachmentId {
  return name as AttachmentId
}
