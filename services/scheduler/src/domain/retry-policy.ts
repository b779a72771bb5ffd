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
  // Bounded, since no pause at all times infinity would be no number.
  const factor = Math.min(policy.backoffMultiplier ** (failures - 1), Number.MAX_VALUE)
  const grown = policy.initialBackoffMs * factor
  const full = Math.min(grown, policy.backoffMsMax)
  return Math.round(full * (1 - policy.jitter * random))
}
