import type { Attachment } from './attachment.ts'

/** The run in progress. */
export interface Run {
  readonly attachment: Attachment
  readonly startedAtMs: number
  /** When it is to be told of; undefined for a synchronous one, and for one that has been told of. */
  slowAtMs: number | undefined
}

/** Whether a run goes on after its handler has returned this. Functions too can have a `then`: query builders do. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
