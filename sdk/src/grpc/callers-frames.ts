import { withoutOwnFrames } from '../jobs/own-frames.ts'

/** Enough to get through the asynchronous functions of the SDK to those of its caller. */
const FRAMES_READ_MAX = 50
const FRAMES_MAX = 10

/** The frames of whoever called the SDK, each on a line of its own; empty where none is on the stack. */
export function callersFrames(below: (...args: never[]) => unknown = callersFrames): string {
  const at = { stack: '' }
  withFrames(FRAMES_READ_MAX, () => Error.captureStackTrace(at, below))
  const [, ...frames] = withoutOwnFrames(at.stack).split('\n')
  return frames
    .slice(0, FRAMES_MAX)
    .map((frame) => `\n${frame}`)
    .join('')
}

/**
 * For a rejection met in an asynchronous function: gRPC tells of failures in callbacks, whose stack ends in gRPC, while
 * this one leads on to the caller.
 */
export function withCallersFrames(error: unknown): unknown {
  if (error instanceof Error && error.name === 'OffstageError') {
    error.stack = `${error}${callersFrames(withCallersFrames)}`
  }
  return error
}

/** Does work of which errors keep so many frames. An application may have frozen the limit: then it stays as it is. */
export function withFrames<T>(max: number, work: () => T): T {
  const { stackTraceLimit } = Error
  Reflect.set(Error, 'stackTraceLimit', max)
  try {
    return work()
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  }
}
