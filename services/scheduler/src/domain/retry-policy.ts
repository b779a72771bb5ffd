/** When a failed attempt is repeated (row J16). */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly maxAttempts: number
  readonly initialBackoffMs: number
  readonly backoffMultiplier: number
  readonly backoffMsMax: number
  /** Share of each pause that is random: 0..1. */
  readonly jitter: number
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxAttempts: 1,
  initialBackoffMs: 1_000,
  backoffMultiplier: 2,
  backoffMsMax: 300_000,
  jitter: 0.2,
}

/**
 * The pause after the given number of failures (from 1), or undefined when no attempt is left.
 * Random within 0..1 decides the jittered share, so the caller owns chance.
 */
export function backoffMs(
  policy: RetryPolicy,
  failures: number,
  random: number,
): number | undefined {
  if (failures >= policy.maxAttempts) return undefined
  const grown = policy.initialBackoffMs * policy.backoffMultiplier ** (failures - 1)
  const full = Math.min(grown, policy.backoffMsMax)
  return Math.round(full * (1 - policy.jitter * random))
}
