/**
 * Ends a job as failed without another attempt, whatever its retry policy (row J16). Throw it from
 * `run` where repeating cannot help. The executor asks {@link isRetryable}, so an error class of your
 * own does the same with a property `retryable = false`.
 */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError'
  readonly retryable = false
}

/**
 * Whether another attempt may help after this error: everything that was thrown, unless it says
 * `retryable: false` itself or its cause does (row J16).
 */
export function isRetryable(error: unknown): boolean {
  for (
    let at = error, depth = 0;
    at instanceof Error && depth < CAUSES_MAX;
    at = at.cause, depth++
  ) {
    if ('retryable' in at) return at.retryable !== false
  }
  return true
}

/** Chains of causes may be circular; nobody reads deeper than this. */
const CAUSES_MAX = 16
