/** Jobs that leak in known lines, and one that does not. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { defineJob, runInScope } from '@offstage/sdk'

const kept: Buffer[] = []

export const leakTimer = defineJob({
  method: 'leaks.timer',
  run: () => void setInterval(() => {}, 60_000),
})

export const leakSection = defineJob({
  method: 'leaks.section',
  run: () =>
    runInScope('a section', async () => {
      await once(createServer().listen(0, '127.0.0.1'), 'listening')
    }),
})

export const leakMemory = defineJob({
  method: 'leaks.memory',
  run: () => void kept.push(Buffer.alloc(256 * 1024)),
})

export const child = defineJob({ method: 'leaks.child', run: () => {} })

/** Uses timers of its own, so that it overlaps with the others, and all that makes some of ours. */
export const tidy = defineJob({
  method: 'leaks.tidy',
  async run(job) {
    const timer = setInterval(() => job.heartbeat(), 5)
    job.progress(50)
    await using _lock = await job.lock(`tidy/${job.id}`)
    await job.run(child)
    await new Promise((resolve) => setTimeout(resolve, 20, job.signal.aborted))
    clearInterval(timer)
  },
})
