/** Says that it was called, and so how often it was; waits a while, and answers with what it was given. */
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'

export const echo = defineJob({
  method: 'e2e.echo',
  async run(job, { text, ms }) {
    job.message('called')
    await pause(ms)
    return text
  },
})
