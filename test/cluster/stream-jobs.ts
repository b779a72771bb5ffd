import { access } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { byteStream, defineJob } from '@offstage/sdk/jobs'

/** Reads a piece of its parameters, and the rest once the file is there that a label names. */
export const slowReader = defineJob({
  method: 'streams.slow-reader',
  params: byteStream,
  async run(job, params) {
    let bytes = 0
    for await (const piece of params) {
      if (bytes === 0) {
        job.message('reading')
        while (!(await exists(job.labels.goOn ?? ''))) await pause(50, undefined, job)
      }
      bytes += piece.byteLength
    }
    return { bytes, attempt: job.attempt }
  },
})

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
