/**
 * Whether a job may run now and, if not, why: the one answer that a start, a claim and an explanation give. Claims ask in SQL
 * (store/gates.ts), about the same gates.
 */

import type { ExclusiveHolder } from './exclusive-mode.ts'
import type { LockConflict } from './lock.ts'
import type { MethodLimit } from './method-limit.ts'
import type { SeenExecutor } from './seen-executor.ts'

/** What can hold a job back, by the names of offstage.jobs.v1.WaitCause. */
export const WAIT_CAUSES = [
  'not-due',
  'key',
  'limit',
  'no-executor',
  'no-fit',
  'no-slot',
  'paused',
  'exclusive-mode',
  'children',
  'lock',
] as const
export type WaitCause = (typeof WAIT_CAUSES)[number]

/** Who paused something, and since when. */
export interface Pause {
  readonly what: 'namespace' | 'pool' | 'method'
  readonly owner: string
  readonly time: Date
}

/** Jobs that hold another back, as far as they exist for who asks. */
export interface Holders {
  readonly jobIds: readonly string[]
  /** Whether there are others too. */
  readonly hidden?: boolean
}

/** What holds a job back, with what is known of it. */
export type Gate =
  | ({ readonly cause: 'lock'; readonly lock: LockConflict } & Holders)
  | ({ readonly cause: 'children' } & Holders)
  | ({ readonly cause: 'key' } & Holders)
  | { readonly cause: 'not-due'; readonly dueTime: Date | undefined; readonly isRetry: boolean }
  | { readonly cause: 'paused'; readonly pause: Pause | undefined }
  | { readonly cause: 'exclusive-mode'; readonly holder: ExclusiveHolder | undefined }
  | ({ readonly cause: 'limit'; readonly limit: FullLimit | undefined } & Holders)
  /** `executors`: those that run the method, or did. */
  | { readonly cause: 'no-executor'; readonly executors: readonly SeenExecutor[] }
  | ({ readonly cause: 'no-fit' } & Slots)
  | ({ readonly cause: 'no-slot' } & Slots)

/** Those of the executors that could run the job, or could but for its parameters. */
interface Slots {
  readonly sessionIds: readonly string[]
  readonly slots: number
}

/** A limit that has no room for a job. */
export interface FullLimit {
  readonly limit: MethodLimit
  /** The value of its key expression; undefined where it has none. */
  readonly key: string | undefined
  /** It is a part of the parameters, which whoever asks may not see (row J23). */
  readonly keyHidden?: true
  /** Set where it is the rate, and only the number of jobs that run else. */
  readonly nextTime: Date | undefined
  /** How many of the jobs that take its places wait for this one: as its parent, or above that. */
  readonly ancestors?: number
}

/** All that may hold a job back; undefined where it does not. */
export interface Circumstances {
  readonly children?: Extract<Gate, { cause: 'children' }> | undefined
  readonly lock?: Extract<Gate, { cause: 'lock' }> | undefined
  readonly key?: Extract<Gate, { cause: 'key' }> | undefined
  readonly due?: Extract<Gate, { cause: 'not-due' }> | undefined
  readonly paused?: Extract<Gate, { cause: 'paused' }> | undefined
  readonly exclusive?: Extract<Gate, { cause: 'exclusive-mode' }> | undefined
  readonly limit?: Extract<Gate, { cause: 'limit' }> | undefined
  /** Last, and the only one that passes by itself. */
  readonly room?: Extract<Gate, { cause: 'no-executor' | 'no-fit' | 'no-slot' }> | undefined
}

/** The first thing that has to pass before the job can run; undefined where it may run now. */
export function gateOf({
  children,
  lock,
  key,
  due,
  paused,
  exclusive,
  limit,
  room,
}: Circumstances): Gate | undefined {
  return children ?? lock ?? key ?? due ?? paused ?? exclusive ?? limit ?? room
}
