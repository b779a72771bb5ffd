import { setTimeout as pause } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { defineJob } from '@offstage/sdk/jobs'
import { exposeReusable } from '@offstage/sdk/tiers'
import { refreshReusableValues, reusable } from '@offstage/sdk/values'
import { z } from 'zod'

let computed = 0
/** Counted by thread: another run shows that the value was dropped. */
export const counted = reusable((key: string) => ({ key, run: ++computed }), {
  name: 'counted',
  tags: ({ key }) => ['keys', `key:${key}`],
})

const seen = z.object({ process: z.number(), thread: z.number(), run: z.number() })

/** What the thread it runs on remembers. */
export const lookInline = defineJob({
  method: 'values.look-inline',
  params: z.object({ key: z.string() }),
  result: seen,
  run: (_job, { key }) => ({ process: process.pid, thread: threadId, run: counted(key).run }),
})

export const lookTask = defineJob({
  method: 'values.look-task',
  params: z.object({ key: z.string() }),
  result: seen,
  lane: 'task',
  run: (_job, { key }) => ({ process: process.pid, thread: threadId, run: counted(key).run }),
})

export const lookProcess = defineJob({
  method: 'values.look-process',
  params: z.object({ key: z.string() }),
  result: seen,
  lane: 'process',
  run: (_job, { key }) => ({ process: process.pid, thread: threadId, run: counted(key).run }),
})

/** A handler that changes what values were computed from. */
export const change = defineJob({
  method: 'values.change',
  params: z.object({ tag: z.string() }),
  run: (_job, { tag }) => refreshReusableValues({ tag }),
})

let prices = 0
/** Asked for by others; takes as long as it is told to. */
export const price = reusable(
  async (currency: string, ms?: number) => {
    prices += 1
    const run = `${process.pid}/${prices}`
    await pause(ms)
    if (currency === '') throw new Error('no currency')
    return { currency, run }
  },
  { name: 'price', tags: ({ currency }) => [`price:${currency}`] },
)
export const exposedPrice = exposeReusable(price)
export const privilegedPrice = exposeReusable(price, {
  method: 'reusable.price-privileged',
  privileged: true,
})
