/**
 * Looks, and is silent where that fails: whoever is looked at goes on as if nobody looked. Code may have made what all share into something
 * else, such as errors that are frozen; and what throws in a hook of `async_hooks` ends the process.
 */
export function quietly(look: () => void): void
export function quietly<T>(look: () => T, otherwise: T): T
export function quietly<T>(look: () => T, otherwise?: T): T | undefined {
  try {
    return look()
  } catch {
    return otherwise
  }
}
