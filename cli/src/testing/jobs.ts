import { access } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { byteStream, defineJob } from '@offstage/sdk'
import { z } from 'zod'

export const greet = defineJob({
  method: 'test.greet',
  params: z.object({ name: z.string() }),
  run(job, { name }) {
    job.progress(50, 'thinking of a greeting')
    job.message('the greeting is ready')
    return `Hello ${name}`
  },
})

export const count = defineJob({
  method: 'test.count',
  params: byteStream,
  async run(_job, params) {
    let bytes = 0
    for await (const piece of params) bytes += piece.byteLength
    return bytes
  },
})

/** Gives back the schedule that has created it. */
export const due = defineJob({
  method: 'test.due',
  run: (job) => job.schedule?.id ?? 'no schedule',
})

export const fail = defineJob({
  method: 'test.fail',
  run(): string {
    throw new RangeError('no more paper')
  },
})

/** Ends once the file is there: tests decide when. */
export const awaitFile = defineJob({
  method: 'test.await-file',
  params: z.object({ path: z.string() }),
  async run(job, { path }) {
    job.progress(1, 'waiting for the file')
    while (!(await exists(path))) await pause(20, undefined, { signal: job.signal })
    return `attempt ${job.attempt}`
  },
})

export const bytes = defineJob({
  method: 'test.bytes',
  run: () => new Uint8Array([0, 255, 10]),
})

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
