import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

const retry = { maxAttempts: 3, initialBackoffMs: 0, jitter: 0 }

/** Speaks all the time, by heartbeats and progress, and tells with what its attempt began. */
export const speaking = defineJob({
  method: 'timed.speaking',
  params: z.object({ forMs: z.number() }),
  retry,
  deadlines: { heartbeatMs: 1_500 },
  async run(job, { forMs }) {
    const endMs = performance.now() + forMs
    for (let n = 1; performance.now() < endMs; n += 1) {
      job.heartbeat({ attempt: job.attempt, n })
      if (n % 5 === 0) job.progress(n % 100, `step ${n}`)
      await pause(50, undefined, { signal: job.signal })
    }
    return { attempt: job.attempt, before: job.lastHeartbeat ?? null }
  },
})

/** Says one thing, and nothing more in as many attempts as it is told to. */
export const mute = defineJob({
  method: 'timed.mute',
  params: z.object({ attempts: z.number() }),
  retry,
  deadlines: { heartbeatMs: 1_000 },
  async run(job, { attempts }) {
    const before = job.lastHeartbeat ?? null
    if (job.attempt > attempts) return { before }
    job.heartbeat({ attempt: job.attempt })
    await pause(60_000, undefined, { signal: job.signal })
    return { before }
  },
})
