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
