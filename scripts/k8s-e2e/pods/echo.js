/** Waits a while and answers with what it was given. */
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'

export const echo = defineJob({
  method: 'e2e.echo',
  async run(_job, { text, ms }) {
    await pause(ms)
    return text
  },
})
