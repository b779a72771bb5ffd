import { fits } from '@offstage/kit/auth'
import type { Load } from '../domain/load.ts'
import { spelledPool } from '../domain/pool.ts'

/** The methods that a set of executors runs, and the pools it serves. */
export interface Served {
  readonly namespace: string
  /** `*` stands for any characters. */
  readonly methods: readonly string[]
  /** As they are spelled; `*` as above. */
  readonly pools: readonly string[]
}

/** What there is to do for these executors. */
export interface Demand {
  /** Jobs that need a slot: those that are due and not paused, and those that run. */
  readonly jobs: number
  /** For how long the longest of them has been due; 0 where none is queued. */
  readonly oldestMs: number
  /** Whether there is anything at all, parents that wait for their children included: they are in some executor's memory. */
  readonly active: boolean
}

export function demandOf({ queues }: Load, { namespace, methods, pools }: Served): Demand {
  const isAmong = (patterns: readonly string[], name: string) =>
    patterns.some((pattern) => fits(pattern, name))
  const ours = queues.filter(
    (queue) =>
      queue.namespace === namespace &&
      isAmong(methods, queue.method) &&
      isAmong(pools, spelledPool(queue.pool)),
  )
  const open = ours.filter(({ paused }) => !paused)
  const jobs = sum(open.map(({ queued }) => queued)) + sum(ours.map(({ running }) => running))
  return {
    jobs,
    oldestMs: Math.max(0, ...open.map(({ oldestMs = 0 }) => oldestMs)),
    active: jobs > 0 || ours.some(({ waiting }) => waiting > 0),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((one, other) => one + other, 0)
}
