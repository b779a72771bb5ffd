import type { OffstageError } from '../grpc/mod.ts'
import type { JobHandle } from './job-handle.ts'

/** What became of one job of a bulk start. */
export type StartOutcome<R = unknown> =
  | { readonly job: JobHandle<R>; readonly error: null }
  | { readonly job: null; readonly error: OffstageError }

/** Some jobs of a bulk start were refused; the others run. `cause` is the first refusal. */
export class StartJobsError extends Error {
  override readonly name: string = 'StartJobsError'
  /** One for each of the parameters, in order. */
  readonly outcomes: readonly StartOutcome[]

  constructor(outcomes: readonly StartOutcome[]) {
    const refusals = outcomes.filter((outcome) => outcome.error !== null)
    const first = refusals[0]?.error
    super(
      `${refusals.length} of ${outcomes.length} jobs were refused; the first: ${first?.message}`,
      { cause: first },
    )
    this.outcomes = outcomes
  }
}
