/** Limits on the jobs of a method (row J20): on all of them, or on those of each value of an expression. */

export interface MethodLimit {
  readonly method: string
  /** CEL over parameters and labels (admission/limit-keys.ts). Empty: the method as a whole. */
  readonly keyExpression: string
  /** How many may run at once, those that wait for their children included. Undefined, as all here: any number. */
  readonly concurrencyMax?: number | undefined
  readonly rate?: Rate | undefined
  /** How many may wait to begin: in the queue, for their time, for a key, or for their next attempt. */
  readonly queuedMax?: number | undefined
  /** Its definition says so, and nobody has set another. */
  readonly isAnnounced?: boolean
}

/** A bucket that holds `burst` tokens and gets `count` anew in each period: each job that begins takes one. */
export interface Rate {
  readonly count: number
  readonly periodMs: number
  readonly burst: number
}

/** All limits of one method. */
export interface LimitsOfMethod {
  readonly namespace: string
  readonly method: string
  /** For the method as a whole. */
  readonly whole: MethodLimit | undefined
  /** For each value of its expression. */
  readonly perKey: MethodLimit | undefined
}

/** Of a method, or of one value of its key, so many jobs may wait to begin. */
export interface LimitedQueue {
  readonly namespace: string
  readonly method: string
  /** Undefined: the method as a whole. */
  readonly key: string | undefined
  readonly queuedMax: number
}
