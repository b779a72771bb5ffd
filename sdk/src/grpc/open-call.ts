import { status } from '@grpc/grpc-js'
import { withFrames } from './callers-frames.ts'
import { OffstageError } from './offstage-error.ts'

/** Makes a call; grpc-js throws at once where the channel was closed. */
export function openCall<T>(open: () => T): T {
  try {
    // It takes down the stack of each call, for an error that may come of it; ours have the frames of whoever called.
    return withFrames(0, open)
  } catch (error) {
    if (error instanceof Error && CLOSED.test(error.message)) throw closedError(error)
    throw error
  }
}

/** What calls and waits of a client that was closed reject with. */
export function closedError(cause?: unknown): OffstageError {
  const message = 'the client was closed: it takes no more calls, and its waits are over'
  return new OffstageError({ code: status.CANCELLED, reason: 'CANCELLED', message, cause })
}

/** How grpc-js words it. */
const CLOSED = /^(Channel has been shut down|Cannot call .* on a closed Channel)/
