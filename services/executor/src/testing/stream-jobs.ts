/** Jobs that take their parameters as a stream. */
import { Readable } from 'node:stream'
import { threadId } from 'node:worker_threads'
import { byteStream, defineJob } from '@offstage/sdk/jobs'

/** Reads its parameters as they come: all of them, or as many pieces as it is told by its key. */
export const reader = defineJob({
  method: 'test.reader',
  params: byteStream,
  lane: 'task',
  async run(job, params) {
    let bytes = 0
    let pieces = 0
    for await (const piece of params) {
      bytes += piece.byteLength
      pieces += 1
      if (String(pieces) === job.key) break
    }
    return { bytes, pieces, attempt: job.attempt }
  },
})

/** Leaves a reader of its parameters behind that reads ahead, and is rid of none of it. */
export const dropper = defineJob({
  method: 'test.dropper',
  params: byteStream,
  async run(_job, params) {
    const ahead = Readable.from(params, { highWaterMark: 2 })
    for await (const _piece of ahead.iterator({ destroyOnReturn: false })) return threadId
  },
})

/** Gives back what it reads, as it reads it. */
export const relay = defineJob({
  method: 'test.relay',
  params: byteStream,
  run: (_job, params) => params,
})
