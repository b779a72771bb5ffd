import { sqlStateOf } from '@offstage/kit/database'

const TRIES = 5
const PAUSE_MS = 20

/**
 * Runs a write again that PostgreSQL broke off to untangle it from others (a deadlock, a serialization failure): all of it
 * was rolled back, and the others have gone on. Gives up with the error after five tries.
 */
export async function retryConflicts<T>(write: () => Promise<T>): Promise<T> {
  for (let left = TRIES - 1; ; left--) {
    try {
      return await write()
    } catch (error) {
      if (left === 0 || !isConflict(error)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (1 + Math.random())))
  }
}

function isConflict(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '40P01' || state === '40001'
}
