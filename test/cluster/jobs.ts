import { setTimeout as pause } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

/** Doubles a number, after a moment that differs from job to job. */
export const double = defineJob({
  method: 'cluster.double',
  params: z.object({ n: z.number() }),
  result: z.number(),
  async run(_job, { n }) {
    await pause(n % 7)
    return n * 2
  },
})

/** When its handler was called, by the clock of the machine. */
export const beginning = defineJob({
  method: 'cluster.beginning',
  result: z.number(),
  run: () => performance.timeOrigin + performance.now(),
})

/** A child job, and a value in temp storage: what one trace must hold together. */
export const family = defineJob({
  method: 'cluster.family',
  params: z.object({ n: z.number() }),
  result: z.number(),
  async run(job, { n }) {
    const [doubled = Number.NaN] = await job.runAll(double, [{ n }])
    const { address } = await job.storage.put({ doubled })
    await job.storage.delete(address)
    return doubled
  },
})

/** Gives back what it got, turned round: large in, large out. */
export const turnRound = defineJob({
  method: 'cluster.turn-round',
  params: z.object({ text: z.string() }),
  result: z.object({ text: z.string() }),
  lane: 'task',
  run: (_job, { text }) => ({ text: [...text].reverse().join('') }),
})

/** Reports a progress and a message for each step. */
export const steps = defineJob({
  method: 'cluster.steps',
  params: z.object({ count: z.number(), everyMs: z.number() }),
  async run(job, { count, everyMs }) {
    for (let n = 0; n < count; n += 1) {
      job.message(`step ${n}`)
      job.progress((100 * (n + 1)) / count)
      await pause(everyMs)
    }
  },
})

/** A result that is as large as one may be inline, or nearly. */
export const page = defineJob({
  method: 'cluster.page',
  params: z.object({ n: z.number() }),
  result: z.string(),
  run: (_job, { n }) => `${n} `.padEnd(60_000, 'x'),
})

/** Runs on a thread of its own and asks nothing of any service. */
export const alone = defineJob({
  method: 'cluster.alone',
  lane: 'work',
  params: z.object({ forMs: z.number() }),
  result: z.string(),
  async run(job, { forMs }) {
    await pause(forMs)
    return job.id
  },
})

/** Waits, and does not hear its signal. */
export const sleep = defineJob({
  method: 'cluster.sleep',
  params: z.object({ forMs: z.number() }),
  run: async (_job, { forMs }) => pause(forMs),
})

/** Never ends, whoever asks. */
export const deaf = defineJob({
  method: 'cluster.deaf',
  async run(job) {
    job.message('running')
    await new Promise(() => {})
  },
})

/** Returns bytes that are somebody else's by then. */
export const detached = defineJob({
  method: 'cluster.detached',
  run() {
    const bytes = new Uint8Array(8)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    return bytes
  },
})

/** Says to the main thread what it should not, and deafens what it can reach. */
export const impostor = defineJob({
  method: 'cluster.impostor',
  run() {
    parentPort?.postMessage(null)
    parentPort?.postMessage({ kind: 'reports', reports: null })
    parentPort?.postMessage({ kind: 'reports', reports: { progress: 5 } })
    parentPort?.removeAllListeners('message')
  },
})

/** Waits for children and returns, however they ended. */
export const forgiving = defineJob({
  method: 'cluster.forgiving',
  async run(job) {
    const children = await job.startJobs(sleep, [{ forMs: 60_000 }, { forMs: 60_000 }])
    await job.waitAll(children)
  },
})
