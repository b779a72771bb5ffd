import type { JobError } from './job.ts'
import type { Payload } from './start-command.ts'

/** How an attempt ended, as its executor tells it. */
export interface AttemptResult {
  readonly jobId: string
  readonly attempt: number
  readonly outcome:
    | { readonly kind: 'succeeded'; readonly result: Payload | undefined }
    | { readonly kind: 'failed'; readonly error: JobError }
    /** `how` it stopped, in words. `neverStarted`: its handler was never called. */
    | { readonly kind: 'canceled'; readonly how: string; readonly neverStarted: boolean }
  readonly additionalResult: Payload | undefined
}
