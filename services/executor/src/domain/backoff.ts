/** Pauses between attempts to reconnect. */

export interface BackoffOptions {
  /** Before the second try. */
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
}

export const RECONNECT: BackoffOptions = { initialMs: 100, factor: 1.8, maxMs: 5_000 }

/**
 * The pause after `failures` failed tries in a row (from 1). Half of it is random, so that executors
 * that lost the same scheduler do not come back all at once.
 *
 * @param random 0 to 1
 */
export function backoffMs(options: BackoffOptions, failures: number, random: number): number {
  const full = Math.min(options.maxMs, options.initialMs * options.factor ** (failures - 1))
  return full * (0.5 + random / 2)
}
