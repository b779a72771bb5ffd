/** Callers that start jobs of all kinds, one after the other, and wait for each, and what they have seen. */
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import type { JobHandle, Offstage } from '@offstage/sdk'
import { family, large, plain } from './jobs.ts'

export interface Load {
  /** Of every start so far, how long it took. */
  readonly startsMs: readonly number[]
  /** Everything that was thrown at a caller. */
  readonly failures: readonly unknown[]
  /** Of every job that was waited for. */
  readonly ended: readonly JobHandle<unknown>[]
  stop(): Promise<void>
}

const CALLERS = 4
/** Goes by way of storage. */
const LARGE = 'x'.repeat(100_000)

/** @param restMs of each caller after each job */
export function startLoad(offstage: Offstage, restMs: number): Load {
  const startsMs: number[] = []
  const failures: unknown[] = []
  const ended: JobHandle<unknown>[] = []
  let isOver = false
  const one = async (start: () => Promise<JobHandle<unknown>>, expected: unknown) => {
    const begunMs = performance.now()
    const handle = await start()
    startsMs.push(performance.now() - begunMs)
    const value = await handle.value()
    if (JSON.stringify(value) !== JSON.stringify(expected))
      throw new Error(`job ${handle.id} came to ${JSON.stringify(value)?.slice(0, 100)}`)
    ended.push(handle)
  }
  const call = async (n: number) => {
    const kinds = [
      () => one(() => offstage.startJob(plain, { n }), n * 2),
      () => one(() => offstage.startJob(family, { n }), n * 2),
      () => one(() => offstage.startJob(large, { text: LARGE }), LARGE),
    ]
    await kinds[n % kinds.length]?.().catch((error) => failures.push(error))
  }
  const caller = async (from: number) => {
    for (let n = from; !isOver; n += CALLERS) {
      await call(n)
      await pause(restMs)
    }
  }
  const callers = Array.from({ length: CALLERS }, (_, at) => caller(at))
  return {
    startsMs,
    failures,
    ended,
    async stop() {
      isOver = true
      await Promise.all(callers)
    },
  }
}

/** The 50th, 90th and 99th of a hundred, and the longest. */
export function spread(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(1)
  return `${sorted.length} starts: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, longest ${at(1)} ms`
}
