/** What runs in a soak: the jobs of a cluster, and some more. */
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'
import { double, sleep } from '../cluster/jobs.ts'

export * from '../cluster/jobs.ts'
export { lookInline, lookTask } from '../cluster/value-jobs.ts'

/** Waits for its child in the lane `task`: meanwhile its slot is for others. */
export const parent = defineJob({
  method: 'soak.parent',
  lane: 'task',
  params: z.object({ forMs: z.number() }),
  run: async (job, { forMs }) => void (await job.run(sleep, { forMs })),
})

/** Returns before its children have ended. */
export const attaching = defineJob({
  method: 'soak.attaching',
  params: z.object({ children: z.number() }),
  async run(job, { children }) {
    const list = Array.from({ length: children }, (_, n) => ({ n }))
    await job.startJobs(double, list, { attached: true })
  },
})
