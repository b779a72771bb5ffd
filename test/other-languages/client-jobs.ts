/** What the clients in examples/ start. */
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob, NonRetryableError } from '@offstage/sdk/jobs'
import { z } from 'zod'

export const greet = defineJob({
  method: 'clients.greet',
  params: z.object({ name: z.string() }),
  run: (_job, { name }) => `Hello ${name}`,
})

export const count = defineJob({
  method: 'clients.count',
  params: z.object({ to: z.number() }),
  run(job, { to }) {
    for (let n = 1; n <= to; n++) {
      job.progress((100 * n) / to)
      job.message(`counted ${n}`)
    }
    return to
  },
})

export const endless = defineJob({
  method: 'clients.endless',
  run(job) {
    job.progress(50)
    return pause(2 ** 30, undefined, { signal: job.signal })
  },
})

export const reverse = defineJob({
  method: 'clients.reverse',
  params: z.object({ text: z.string() }),
  run: (_job, { text }) => [...text].reverse().join(''),
})

export const double = defineJob({
  method: 'clients.double',
  codec: 'cbor',
  run: (_job, { n, bytes }: { readonly n: bigint; readonly bytes: Uint8Array }) => ({
    n: n * 2n,
    bytes: Buffer.concat([bytes, bytes]),
  }),
})

export const nothing = defineJob({
  method: 'clients.nothing',
  run() {},
})

export const fail = defineJob({
  method: 'clients.fail',
  run() {
    throw new NonRetryableError('There is no paper left.')
  },
})
