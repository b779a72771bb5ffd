import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

export const child = defineJob({ method: 'tokens.child', run: () => {} })

/** Starts a child and leaves a value: what must be the user's. */
export const family = defineJob({
  method: 'tokens.family',
  result: z.object({ childId: z.string(), address: z.string() }),
  async run(job) {
    const started = await job.startJob(child, undefined)
    const { address } = await job.storage.put({ of: job.owner })
    return { childId: started.id, address }
  },
})

/** Calls both services again and again, for longer than its first token lives. */
export const caller = defineJob({
  method: 'tokens.caller',
  params: z.object({ calls: z.number(), everyMs: z.number() }),
  result: z.number(),
  async run(job, { calls, everyMs }) {
    for (let n = 0; n < calls; n += 1) {
      await job.run(child, undefined)
      const { address } = await job.storage.put({ n })
      await job.storage.delete(address)
      await pause(everyMs)
    }
    return calls
  },
})

/** Large in, large out. */
export const turnRound = defineJob({
  method: 'tokens.turn-round',
  params: z.object({ text: z.string() }),
  result: z.object({ text: z.string() }),
  run: (_job, { text }) => ({ text: [...text].reverse().join('') }),
})

/** Runs until it is told to stop. */
export const holder = defineJob({
  method: 'tokens.holder',
  async run(job) {
    job.message('running')
    await pause(600_000, undefined, { signal: job.signal })
  },
})

/** Privileged: whoever starts it, it may touch the values of others. Says what it was given, and what it reads where it is told to. */
export const deputy = defineJob({
  method: 'tokens.deputy',
  privileged: true,
  params: z.unknown(),
  async run(job, params) {
    const { read } = z.object({ read: z.string() }).catch({ read: '' }).parse(params)
    return read === '' ? params : job.storage.get(read)
  },
})
