import { defineJob } from '@offstage/sdk'
import { z } from 'zod'

const params = z.object({ name: z.string() })

export const greet = defineJob({
  method: 'greetings.greet',
  params,
  run: (job, { name }) => `Hello ${name}, this is job ${job.id}`,
})

export const task = defineJob({
  method: 'greetings.task',
  lane: 'task',
  params,
  run: async (job, { name }) => `${name} and ${await job.client.run(greet, { name: 'Bob' })}`,
})

export const work = defineJob({
  method: 'greetings.work',
  lane: 'work',
  params,
  run: (_, { name }) => name.length,
})

export const apart = defineJob({
  method: 'greetings.apart',
  lane: 'process',
  params,
  run: async (job, { name }) => `${name} and ${await job.client.run(greet, { name: 'Bob' })}`,
})

export const fail = defineJob({
  method: 'greetings.fail',
  run: () => {
    throw new TypeError('as it should')
  },
})
