import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { OffstageError } from './offstage-error.ts'

/** All waits for a limit together. */
const LIMITED_MS_MAX = 120_000

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
 * asked for in RetryInfo. When the tries are used up, or `giveUp` says so, the last error is thrown.
 * A service that only asks to come slower costs no try, for two minutes: whoever is limited is slowed, not failed.
 */
export async function retrying<T>(
  policy: RetryPolicy,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  const { attempts = 5, giveUp = () => false, signal, wait = waitFor } = policy
  const { repeatAlso = () => false } = policy
  let failures = 0
  let limitedMs = 0
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      if (!(error instanceof OffstageError)) throw error
      if (!error.retryable && !repeatAlso(error)) throw error
      const isLimited = attempts > 1 && isLimit(error) && limitedMs < LIMITED_MS_MAX
      if (!isLimited) {
        failures += 1
        if (failures >= attempts || giveUp(error)) throw error
      }
      const delayMs = (error.retryDelayMs ?? 0) + jitteredMs(policy, Math.max(1, failures))
      if (isLimited) limitedMs += delayMs
      await wait(delayMs, signal)
    }
  }
}

/** Refused for want of room at the moment, with a time to come back; nothing was done. */
function isLimit({ code, retryDelayMs }: OffstageError): boolean {
  return code === status.RESOURCE_EXHAUSTED && retryDelayMs !== undefined
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
