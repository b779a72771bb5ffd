import { status } from '@grpc/grpc-js'
import { OffstageError } from '../grpc/mod.ts'
import type { JobHandle } from './job-handle.ts'

/** What became of one job of a bulk start. */
export type StartOutcome<R = unknown> =
  | { readonly job: JobHandle<R>; readonly error: null }
  | { readonly job: null; readonly error: OffstageError }

/**
 * Some jobs of a bulk start were refused, or it was broken off; the others run. `cause` is the first refusal, or what
 * broke it off: the reason of the signal, or what `each` threw.
 */
export class StartJobsError extends Error {
  override readonly name: string = 'StartJobsError'
  /** One for each of the parameters, in order. */
  readonly outcomes: readonly StartOutcome[]

  constructor(outcomes: readonly StartOutcome[], message?: string, cause?: unknown) {
    const refusals = outcomes.filter((outcome) => outcome.error !== null)
    const first = refusals[0]?.error
    super(
      message ??
        `${refusals.length} of ${outcomes.length} jobs were refused; the first: ${first?.message}`,
      { cause: cause ?? first },
    )
    this.outcomes = outcomes
  }

  /** Jobs of which nothing is known get CANCELLED as their error: they were not asked for, or no answer came. */
  static brokenOff(outcomes: readonly StartOutcome[], cause: unknown): StartJobsError {
    const code = status.CANCELLED
    const message = 'the bulk start was broken off before the start of this job was answered'
    const error = new OffstageError({ code, reason: 'CANCELLED', message, cause })
    const all = Array.from(outcomes, (outcome) => outcome ?? { job: null, error })
    const started = all.filter(({ job }) => job !== null).length
    const why = cause instanceof Error ? cause.message : String(cause)
    const text = `the start was broken off with ${started} of ${all.length} jobs started: ${why}`
    return new StartJobsError(all, text, cause)
  }
}
