import { setTimeout as pause } from 'node:timers/promises'
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
