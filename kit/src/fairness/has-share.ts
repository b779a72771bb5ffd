export interface Share {
  readonly max: number
  /** Of all callers. */
  readonly waiting: number
  /** That have something waiting. */
  readonly callers: number
  /** Of what waits, the caller's. */
  readonly own: number
  readonly more: number
}

/**
 * Whether so many more of a caller may wait. Where more than `max` would, only up to an equal share of it, so that whoever comes
 * first cannot keep the others out; who has nothing waiting always may. So with n callers no more than
 * max × (1 + 1/2 + … + 1/n) wait, and one wish of each.
 */
export function hasShare({ max, waiting, callers, own, more }: Share): boolean {
  return own === 0 || waiting + more <= max || own + more <= max / callers
}
