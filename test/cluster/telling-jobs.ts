/** Jobs that say what they are given wherever a job can say something. */
import { byteStream, defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

const params = z.object({ text: z.string() })

export const tell = defineJob({
  method: 'telling.tell',
  params,
  result: z.object({ text: z.string() }),
  run(job, { text }) {
    job.message(text)
    job.progress(50, text, { text })
    return { text }
  },
})

/** Calls both services, for which it is given a token of its own. */
export const tellOn = defineJob({
  method: 'telling.tell-on',
  params,
  async run(job, { text }) {
    await job.run(tell, { text })
    await job.storage.put({ text })
  },
})

export const fail = defineJob({
  method: 'telling.fail',
  params,
  run(_job, { text }) {
    throw new Error(text, { cause: new Error(text) })
  },
})

/** Takes a stream, and breaks off in the middle of what it says. */
export const swallow = defineJob({
  method: 'telling.swallow',
  params: byteStream,
  async run(job, stream) {
    for await (const chunk of stream) job.message(String(chunk))
  },
})

export const failOnThread = defineJob({
  method: 'telling.fail-on-thread',
  params,
  lane: 'task',
  async run(_job, { text }) {
    const lost = Promise.reject(new Error(text))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await lost
  },
})
