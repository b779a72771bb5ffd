import { byteStream, defineJob } from '@offstage/sdk/jobs'

/** Reads its parameters as they come, and gives them back as they come. */
export const relay = defineJob({
  method: 'bench.relay',
  lane: 'task',
  params: byteStream,
  run: (_job, params) => params,
})

/** Has a child read what it reads, and says how much that was. */
export const parent = defineJob({
  method: 'bench.parent',
  params: byteStream,
  run: (job, params) => job.run(count, params),
})

export const count = defineJob({
  method: 'bench.count',
  params: byteStream,
  async run(_job, params) {
    let bytes = 0
    for await (const piece of params) bytes += piece.byteLength
    return bytes
  },
})
