import { access } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { byteStream, defineJob, type JobContext } from '@offstage/sdk/jobs'

/** Reads a piece of its parameters, and the rest once the file is there that a label names. */
export const slowReader = defineJob({
  method: 'streams.slow-reader',
  params: byteStream,
  async run(job, params) {
    let bytes = 0
    for await (const piece of params) {
      if (bytes === 0) {
        job.message('reading')
        await goesOn(job)
      }
      bytes += piece.byteLength
    }
    return { bytes, attempt: job.attempt }
  },
})

const PIECE_BYTES = 256 * 1_024

/** Gives so many pieces, and the last one once the file is there that a label names. */
export const slowWriter = defineJob({
  method: 'streams.slow-writer',
  retry: { maxAttempts: 2, initialBackoffMs: 1 },
  async *run(job, { pieces }: { pieces: number }) {
    for (let nth = 0; nth < pieces; nth++) yield Buffer.alloc(PIECE_BYTES, nth)
    job.message('all but the last')
    await goesOn(job)
    yield Buffer.from([job.attempt])
  },
})

async function goesOn(job: JobContext): Promise<void> {
  while (!(await exists(job.labels.goOn ?? ''))) await pause(50, undefined, job)
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
