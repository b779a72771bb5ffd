/** What the scheduler says of a session it does not hold (any more). */
export const GONE: ReadonlySet<string> = new Set(['SESSION_FENCED', 'SESSION_UNKNOWN'])

/** What hello announces is wrong, or more than the scheduler can do; or it is no scheduler. */
export const UNWANTED: ReadonlySet<string> = new Set([
  'INVALID_FIELD',
  'NOT_IMPLEMENTED',
  'WRONG_SERVICE',
])
