import type { FullLimit } from '../domain/gate.ts'

/** Said behind the limit that holds a job back, where jobs above it take its places: these wait for it while it waits for them. */
export function heldByAncestors({ limit, ancestors = 0 }: FullLimit): string {
  const { concurrencyMax = 0 } = limit
  if (ancestors === 0) return ''
  if (ancestors < concurrencyMax) {
    return ` ${ancestors === 1 ? 'One of these is' : `${ancestors} of these are`} above it, and may wait for it.`
  }
  const who =
    ancestors === 1 ? 'That is its own parent, or above that' : 'All of these are above it'
  return ` ${who}: where they wait for it, it begins only once the limit is raised.`
}
