/** Writes that must not be lost because the database is away, or in trouble, for a while. */
import { isTransientError } from '@offstage/kit/database'
import { Refusal } from '@offstage/kit/grpc'

const RETRY_MS_MAX = 2_000

export type Persisted<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** Nobody wants it any more. */
  | { readonly kind: 'obsolete' }
  /** The error will not pass: it is for what was to be written. */
  | { readonly kind: 'refused'; readonly error: unknown }

/** Tries until the database has taken or refused the write, or `obsolete` says so. */
export async function persist<T>(
  write: () => Promise<T>,
  obsolete: () => boolean,
  onError: (error: unknown) => void,
): Promise<Persisted<T>> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    try {
      return { kind: 'done', value: await write() }
    } catch (error) {
      onError(error)
      if (isDataError(error)) return { kind: 'refused', error }
    }
    if (obsolete()) return { kind: 'obsolete' }
    await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
    if (obsolete()) return { kind: 'obsolete' }
  }
}

/** A write that failed for what was in it, and would again; a full queue is none. */
export function isDataError(error: unknown): boolean {
  return !isTransientError(error) && !(error instanceof Refusal)
}
