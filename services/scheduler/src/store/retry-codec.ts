import type { RetryPolicy } from '../domain/retry-policy.ts'
import { nested, number, required } from './stored-shape.ts'

/** Within the options of a job and the definition of a method; whole, since it is stored with its defaults filled in. */
export const retry = nested<RetryPolicy>('retry policies', {
  maxAttempts: required(number),
  initialBackoffMs: required(number),
  backoffMultiplier: required(number),
  backoffMsMax: required(number),
  jitter: required(number),
})
