import { setTimeout as pause } from 'node:timers/promises'
import type { JobHandle, Offstage } from '@offstage/sdk'
import type { Chance } from '@offstage/testkit'
import * as jobs from './soak-jobs.ts'

/** Handles are let go as their jobs end: what this process holds is looked at, too. */
export interface Load {
  /** The ids of all that were acknowledged. */
  readonly acknowledged: readonly string[]
  /** Those of them of whose end nobody has been told yet. */
  readonly awaited: ReadonlySet<string>
  /** What starts, refreshes and waits were refused with. */
  readonly refused: readonly unknown[]
}

/** A cancel may be repeated until it is answered. */
async function cancelSoon(handle: JobHandle<unknown>, afterMs: number): Promise<void> {
  await pause(afterMs)
  while (
    !(await handle.cancel({ graceMs: 100 }).then(
      () => true,
      () => false,
    ))
  ) {
    await pause(500)
  }
}

export interface LoadOptions {
  readonly offstage: Offstage
  readonly chance: Chance
  /** Whether some of the jobs run in this process. */
  readonly inForeground: boolean
  /** Between one round of starts and the next, at least and at most. */
  readonly pauseMs: readonly [min: number, max: number]
  readonly signal: AbortSignal
}

/** Starts jobs of all kinds, waits for each, and refreshes values, until it is told to stop. */
export async function keepStarting(options: LoadOptions): Promise<Load> {
  const { offstage, chance, inForeground, pauseMs, signal } = options
  const acknowledged: string[] = []
  const awaited = new Set<string>()
  const refused: unknown[] = []
  const pending = new Set<Promise<void>>()
  const settle = <T>(work: Promise<T>, use: (answer: T) => void) => {
    const settled = work.then(use, (error) => void refused.push(error))
    pending.add(settled)
    void settled.finally(() => pending.delete(settled))
  }
  const follow = (handle: JobHandle<unknown>) => {
    acknowledged.push(handle.id)
    awaited.add(handle.id)
    handle.waitForCompletion({ messages: false }).then(
      () => awaited.delete(handle.id),
      (error) => refused.push(error),
    )
  }
  const one = (start: Promise<JobHandle<unknown>>) => settle(start, follow)
  const many = (starts: Promise<readonly JobHandle<unknown>[]>) =>
    settle(starts, (handles) => handles.forEach(follow))
  const list = [1, 2, 3, 4, 5].map((n) => ({ n }))
  while (!signal.aborted) {
    many(offstage.startJobs(jobs.double, list))
    one(offstage.startJob(jobs.sleep, { forMs: chance.within(100, 3_000) }))
    // Each takes a thread of its own, which is dear.
    if (chance.next() < 0.25)
      one(offstage.startJob(jobs.alone, { forMs: chance.within(50, 1_500) }))
    one(offstage.startJob(jobs.family, { n: chance.within(1, 100) }))
    one(offstage.startJob(jobs.parent, { forMs: chance.within(50, 2_500) }))
    one(offstage.startJob(jobs.attaching, { children: chance.within(0, 5) }))
    one(offstage.startJob(jobs.turnRound, { text: 'x'.repeat(chance.one([10, 100_000])) }))
    if (inForeground) one(offstage.startJob(jobs.double, { n: 6 }, { mode: 'auto' }))
    const key = chance.one(['a', 'b', 'c'])
    one(offstage.startJob(chance.one([jobs.lookInline, jobs.lookTask]), { key }))
    settle(offstage.refreshValues({ tag: `key:${key}` }), () => {})
    const afterMs = chance.within(0, 800)
    const condemned = offstage.startJob(jobs.deaf, undefined)
    one(condemned)
    settle(
      condemned.then(
        (handle) => cancelSoon(handle, afterMs),
        () => {},
      ),
      () => {},
    )
    await pause(chance.within(...pauseMs))
  }
  await Promise.all(pending)
  return { acknowledged, awaited, refused }
}
