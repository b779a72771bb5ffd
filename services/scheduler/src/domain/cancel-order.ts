/** Tells an executor to stop an attempt. */
export interface CancelOrder {
  readonly jobId: string
  readonly attempt: number
  readonly reason: string
  readonly graceMs: number
}
