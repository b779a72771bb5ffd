import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

class OutOfPaperError extends Error {
  override readonly name = 'OutOfPaperError'
}

export const print = defineJob({
  method: 'failing.print',
  params: z.object({ pages: z.number().refine((pages) => pages !== 13, 'brings bad luck') }),
  run(_job, { pages }) {
    throw new OutOfPaperError(`no paper for ${pages} pages`, {
      cause: new Error('tray 2 is empty'),
    })
  },
})

export const printAll = defineJob({
  method: 'failing.print-all',
  async run(job) {
    await job.runAll(print, [{ pages: 3 }])
  },
})

/** A child of a child: causes are kept however deep. */
export const office = defineJob({
  method: 'failing.office',
  async run(job) {
    await job.run(printAll)
  },
})
