/** What goes between a caller and the executor that has the function: the parameters and the result of a job. */
import type { JobMethod } from '../jobs/method.ts'

/** A call of a reusable function. */
export interface TierAsk {
  /** Its parameters as canonical text (`paramsToText`). */
  readonly params: string
  /** For whom, as the caller has it; it must be whom the job is for. Default: whoever that is. */
  readonly user?: string
  /** In which mode; it must be that of the method. Default false. */
  readonly privileged?: boolean
  /** The last epoch of refreshes that the caller has heard of: the answer is not older. Default 0. */
  readonly epoch?: number
  /** The calls that wait for this one, the outermost first, so that none of them is asked once more: at most 32. Default none. */
  readonly waiting?: readonly string[]
}

/** A value and what the caller must know to drop it in time. No clocks are compared. */
export interface TierAnswer<V> {
  readonly value: V
  /** How long ago it was computed. */
  readonly ageMs: number
  /** How long it is of use from now on; 0: not remembered there either. */
  readonly leftMs: number
  /** By which it is refreshed. */
  readonly tags: readonly string[]
}

/** What callers need of a function that executors expose: a job method that knows the function's parameters and value. */
export interface ReusableMethod<P extends readonly unknown[], V>
  extends JobMethod<TierAsk, TierAnswer<V>> {
  /** The name of the function, by which it is refreshed. */
  readonly reusable: string
  /** Never set: for types alone. */
  readonly call?: (...params: P) => V
}
