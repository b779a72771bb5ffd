import type { Reach } from '../domain/reach.ts'

/** A condition on owner and namespace; `first` is the number of the first of the two parameters that `reachValues` has. */
export function withinReach(first: number): string {
  const [owner, namespaces] = [`$${first}::text`, `$${first + 1}::text[]`]
  return `(${owner} IS NULL OR owner = ${owner}) AND (${namespaces} IS NULL OR namespace = ANY (${namespaces}))`
}

export function reachValues({ owner, namespaces }: Reach): unknown[] {
  return [owner, namespaces]
}
