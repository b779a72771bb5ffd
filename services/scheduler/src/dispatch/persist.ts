/** Writes that must not be lost because the database is away for a while. */
import { isConnectionError, sqlStateOf } from '@offstage/kit/database'

const RETRY_MS_MAX = 2_000

/** Tries until the database has answered; gives up when `obsolete` says so, or for an error that will not pass. */
export async function persist<T>(
  write: () => Promise<T>,
  obsolete: () => boolean,
  onError: (error: unknown) => void,
): Promise<T | undefined> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    try {
      return await write()
    } catch (error) {
      onError(error)
      if (!isConnectionError(error) || obsolete()) return undefined
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs).unref())
    if (obsolete()) return undefined
  }
}

/** A statement that failed for what was in it: data (22) or a constraint (23). */
export function isDataError(error: unknown): boolean {
  return /^2[23]/.test(sqlStateOf(error) ?? '')
}
