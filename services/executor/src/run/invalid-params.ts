import { AttemptFault } from '../domain/fault.ts'

/** Parameters that no other attempt would take either (row J2). */
export function invalidParams(message: string, cause?: unknown): AttemptFault {
  return new AttemptFault('PARAMS_INVALID', message, { retryable: false, cause })
}
