import { sqlStateOf } from '@offstage/kit/database'

const TRIES = 5
/** Each of them has waited for as long as the statement lets itself. */
const LOCK_TRIES = 20
const PAUSE_MS = 20

/**
 * Runs a write again that PostgreSQL broke off to untangle it from others (a deadlock, a serialization failure), or that waited for
 * others for longer than it may: all of it was rolled back. Gives up with the error after five tries, or twenty of the latter.
 */
export async function retryConflicts<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await write()
    } catch (error) {
      if (tries >= triesOf(error)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (1 + Math.random())))
  }
}

function triesOf(error: unknown): number {
  const state = sqlStateOf(error)
  if (state === '55P03') return LOCK_TRIES
  return state === '40P01' || state === '40001' ? TRIES : 1
}
