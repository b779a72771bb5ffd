import { retrying } from '@offstage/sdk/grpc'

/** With pauses up to 5 s, on top of the client's own: longer than most attempts may take. */
const TRIES_MAX = 120

/** Repeats a call of temp storage while the service cannot be reached and the attempt may go on. */
export function retryingStorage<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  return retrying({ attempts: TRIES_MAX, signal }, call)
}
