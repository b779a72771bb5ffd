/** Who does something, in which roles, from where and by which call: as it is recorded. */
export interface ActBy {
  readonly user: string
  readonly roles: readonly string[]
  /** Address of the other end of the connection. */
  readonly peer: string
  /** The RPC, such as `JobService.CancelJob`. */
  readonly call: string
}

/** What somebody did on what is not theirs, or on the place as a whole (row P7). */
export interface Act {
  readonly by: ActBy
  readonly namespace: string
  /** Ids or names of what was acted on, at most {@link TARGETS_MAX}. */
  readonly targets: readonly string[]
  /** Whose that is; none for what nobody owns. */
  readonly owners: readonly string[]
  readonly outcome: ActOutcome
}

/** `UNCHANGED`: it was so already. */
export type ActOutcome = 'OK' | 'UNCHANGED'

/** As many as one call can name. */
const TARGETS_MAX = 1_000

/** An act on things of others, as far as they are told. */
export function actOn(
  by: ActBy,
  namespace: string,
  things: readonly { readonly id: string; readonly owner: string }[],
  outcome: ActOutcome,
): Act {
  const told = things.slice(0, TARGETS_MAX)
  const targets = told.map(({ id }) => id)
  return { by, namespace, targets, owners: [...new Set(told.map(({ owner }) => owner))], outcome }
}
