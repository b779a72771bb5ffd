/** How fast work goes from several loops at once, and the batch of jobs whose rate is measured. */
import type { Offstage } from '@offstage/sdk'
import { noop } from './jobs.ts'

const BATCH = 500
const params = new Array<undefined>(BATCH).fill(undefined)

/** Runs `work`, which tells how many it did, from `concurrency` loops for a while; how many a second. */
export async function rate(
  seconds: number,
  concurrency: number,
  work: () => Promise<number>,
): Promise<number> {
  const begin = performance.now()
  const end = begin + seconds * 1_000
  let done = 0
  const loop = async () => {
    while (performance.now() < end) {
      const finished = await work()
      done += finished
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  return (done / (performance.now() - begin)) * 1_000
}

/** Starts a batch of no-op jobs and waits for them in the same call. */
export async function startBatch(offstage: Offstage): Promise<number> {
  const jobs = await offstage.startJobs(noop, params, { inlineWaitMs: 10_000 })
  for (const job of jobs) if (!job.isSucceeded) throw new Error(`job ${job.id} is ${job.status}`)
  return jobs.length
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
