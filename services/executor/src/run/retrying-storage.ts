import { type OffstageError, retrying } from '@offstage/sdk/grpc'
import type { AttemptContext } from './job-context.ts'

/** With pauses up to 5 s, on top of the client's own: longer than most attempts may take. */
const TRIES_MAX = 120
const NO_ROOM = 'The handler is done; its result waits until temp storage has room for it.'

/** Repeats a call of temp storage while the service cannot be reached and the attempt may go on. */
export function retryingStorage<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  return retrying({ attempts: TRIES_MAX, signal }, call)
}

/**
 * Repeats storing what a handler has returned for as long as its attempt may live, also while there is no room: its work
 * is done, and would be lost. The job says so once.
 */
export function storingResult<T>(
  context: Pick<AttemptContext, 'signal' | 'message'>,
  call: () => Promise<T>,
): Promise<T> {
  let told = false
  const repeatAlso = ({ reason }: OffstageError) => {
    if (reason !== 'STORAGE_FULL') return false
    if (!told) context.message(NO_ROOM, { severity: 'warning' })
    told = true
    return true
  }
  const { signal } = context
  return retrying({ attempts: Number.POSITIVE_INFINITY, repeatAlso, signal }, call)
}
