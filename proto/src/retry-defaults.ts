/** What a retry policy that is given in part is filled with (row J16), as the comments of `RetryPolicy` say. */
export const RETRY_DEFAULTS = {
  /** No retry. */
  maxAttempts: 1,
  initialBackoffMs: 1_000,
  backoffMultiplier: 2,
  backoffMsMax: 300_000,
  jitter: 0.2,
} as const

/** The longest pause where none is given: a longer first pause is not cut. */
export function backoffMsMaxDefault(initialBackoffMs: number): number {
  return Math.max(RETRY_DEFAULTS.backoffMsMax, initialBackoffMs)
}
