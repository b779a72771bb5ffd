/**
 * The port through which a value computed on one side of a remote call is remembered on both (row
 * C8).
 */

import type { ReusableCycleError } from './computing.ts'

/** A call to be answered by the other side. */
export interface RemoteCall {
  /** Name of the reusable function. */
  readonly name: string
  /** Its parameters as canonical text (`paramsToText`). */
  readonly params: string
  /** For whom: values of one identity never answer another (row C4). */
  readonly user: string | undefined
  readonly privileged: boolean
  /** Aborted when nobody waits any more; undefined when somebody cannot leave. */
  readonly signal: AbortSignal | undefined
  /** What waits for it just now from outside of this thread's computations, such as jobs that answer for a function. Default: nothing. */
  waiters?(): Iterable<object>
}

/** A value and what this side must know to drop it in time. */
export interface RemoteValue {
  readonly value: unknown
  /**
   * How long ago it was computed: its age counts on from here, not from the arrival. Milliseconds,
   * 0 or more.
   */
  readonly ageMs: number
  /** How long it is of use from now on at most; 0: it is not remembered. Default: as long as `maxAgeMs` says. */
  readonly leftMs?: number
  /** Tags it can be refreshed by. */
  readonly tags: readonly string[]
}

/**
 * The other tier. A failing one is no error of the call: the function computes as if it were
 * absent, and statistics count it.
 */
export interface RemoteTier {
  /** Whether nothing can be computed here: then its failure is the call's. Default false. */
  readonly isRequired?: boolean
  /**
   * What the other side remembers or computes; undefined when it has nothing to say, and this side
   * computes.
   */
  fetch(call: RemoteCall): Promise<RemoteValue | undefined>
  /** The cycle that the running code would close if it waited for this call, which is under way; undefined: none. Default: there is none. */
  cycleOf?(call: RemoteCall): ReusableCycleError | undefined
  /** Told of a value computed on this side. */
  offer(call: RemoteCall, value: RemoteValue): Promise<void>
}
