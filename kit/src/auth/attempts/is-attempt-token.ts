import { decodeProtectedHeader } from 'jose'
import { ATTEMPT_TYPE } from './attempt-claims.ts'

/** Whether a token says that it is one of an attempt; who is shown it finds out whether that is true. */
export function isAttemptToken(token: string): boolean {
  try {
    return decodeProtectedHeader(token).typ === ATTEMPT_TYPE
  } catch {
    return false
  }
}
