/** Each says that it has begun, and so how often it did. */
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

export const plain = defineJob({
  method: 'rehearsal.plain',
  params: z.object({ n: z.number() }),
  result: z.number(),
  async run(job, { n }) {
    job.message('began')
    await pause(n % 7)
    return n * 2
  },
})

/** A child, and a value in temp storage. */
export const family = defineJob({
  method: 'rehearsal.family',
  params: z.object({ n: z.number() }),
  result: z.number(),
  async run(job, { n }) {
    job.message('began')
    const [doubled = Number.NaN] = await job.runAll(plain, [{ n }])
    const { address } = await job.storage.put({ doubled })
    await job.storage.delete(address)
    return doubled
  },
})

/** Large in, large out, by way of storage. */
export const large = defineJob({
  method: 'rehearsal.large',
  params: z.object({ text: z.string() }),
  result: z.string(),
  lane: 'task',
  run(job, { text }) {
    job.message('began')
    return [...text].reverse().join('')
  },
})
