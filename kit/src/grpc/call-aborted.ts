/** Why a call is aborted before its handler is done. */

/** `cancelled` covers the client's cancel and a connection that broke. */
export type AbortCause = 'cancelled' | 'deadline' | 'server-stop'

const ABORT_TEXT: Record<AbortCause, string> = {
  cancelled: 'the call was cancelled by its caller',
  deadline: 'the deadline of the call has passed',
  'server-stop': 'the server is stopping',
}

export function isAbortCause(why: unknown): why is AbortCause {
  return typeof why === 'string' && why in ABORT_TEXT
}

/** The reason of an aborted {@link CallContext.signal}. Named AbortError as Node's own are. */
export class CallAborted extends Error {
  override readonly name = 'AbortError'
  readonly kind: AbortCause

  constructor(kind: AbortCause) {
    super(ABORT_TEXT[kind])
    this.kind = kind
  }
}
