import { setTimeout as sleep } from 'node:timers/promises'
import { OffstageError } from './offstage-error.ts'

export interface RetryPolicy {
  /** Tries in all. Default 5. */
  readonly attempts?: number
  /** What is repeated beside what is retryable by itself. Default: nothing. */
  readonly repeatAlso?: (error: OffstageError) => boolean
  /** Asked after each failure: true where another try is no longer wanted. */
  readonly giveUp?: (error: OffstageError) => boolean
  /** Upper bound of the first wait; it doubles with every further one. Default 100 ms. */
  readonly firstDelayMs?: number
  /** Upper bound of every wait but one the service asks for. Default 5 s. */
  readonly maxDelayMs?: number
  /** Aborting it ends the waiting; its reason is thrown. */
  readonly signal?: AbortSignal
  /** How to wait; replaced in tests. */
  readonly wait?: (delayMs: number, signal: AbortSignal | undefined) => Promise<void>
  /** Uniform in 0..1; replaced in tests. */
  readonly random?: () => number
}

/**
 * Repeats `work` while it fails with an OffstageError that is retryable. For idempotent work only.
 * Waits are random between nothing and the doubling bound (full jitter), on top of what the service
 * asked for in RetryInfo. When the tries are used up, or `giveUp` says
 * so, the last error is thrown.
 */
export async function retrying<T>(
  policy: RetryPolicy,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  const { attempts = 5, giveUp = () => false, signal, wait = waitFor } = policy
  const { repeatAlso = () => false } = policy
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      if (!(error instanceof OffstageError)) throw error
      if (!error.retryable && !repeatAlso(error)) throw error
      if (attempt >= attempts || giveUp(error)) throw error
      await wait((error.retryDelayMs ?? 0) + jitteredMs(policy, attempt), signal)
    }
  }
}

function jitteredMs(policy: RetryPolicy, attempt: number): number {
  const { firstDelayMs = 100, maxDelayMs = 5_000, random = Math.random } = policy
  return random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1))
}

async function waitFor(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
