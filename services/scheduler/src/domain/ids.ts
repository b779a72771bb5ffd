/**
 * Ids that callers name. Text from outside becomes one here, once, at the edge (grpc/): what asks for a job by its id takes no
 * other text.
 */

declare const kind: unique symbol

/** Names a job: a lower-case UUID. */
export type JobId = string & { readonly [kind]: 'job' }

/** Names a session by the word of its executor; others may say the same, so it tells nobody apart. A lower-case UUID. */
export type SessionId = string & { readonly [kind]: 'session' }

/** Names an attachment: one stream of a session, which holds jobs by a lease. A lower-case UUID. */
export type AttachmentId = string & { readonly [kind]: 'attachment' }

/** What a session is known by here (executors/session-key.ts). A lower-case UUID. */
export type SessionKey = string & { readonly [kind]: 'session key' }

/** Names a lease of a caller. A lower-case UUID. */
export type LeaseId = string & { readonly [kind]: 'lease' }

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Ids are compared as text: upper case would name another job. */
export function isJobId(text: string): text is JobId {
  return UUID.test(text)
}

export function isSessionId(text: string): text is SessionId {
  return UUID.test(text)
}

export function isSessionKey(text: string): text is SessionKey {
  return UUID.test(text)
}

export function isLeaseId(text: string): text is LeaseId {
  return UUID.test(text)
}
