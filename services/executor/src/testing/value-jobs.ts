/** Jobs about what handlers give away: results, heartbeats, and what cannot be given. */
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

export const cbor = defineJob({
  method: 'test.cbor',
  codec: 'cbor',
  run: (_job, { n }: { readonly n: number }) => BigInt(n),
})

export const unwritable = defineJob({ method: 'test.unwritable', run: () => ({ big: 10n }) })

/** Returns what JSON would lose, or gives it as the additional result. */
export const lossy = defineJob({
  method: 'test.lossy',
  run(job, { as, where }: { as: string; where: 'result' | 'additional' }) {
    const value = { rows: [{ it: LOSSY[as] }] }
    if (where === 'result') return value
    job.setAdditionalResult(value)
    return 1
  },
})

const LOSSY: Readonly<Record<string, unknown>> = {
  map: new Map([[1, 2]]),
  nan: NaN,
  function: () => 1,
  bytes: new Uint8Array(1),
}

/** Says what its parameters are, and returns them as they came. */
export const bytes = defineJob({
  method: 'test.bytes',
  run(job, params: Uint8Array) {
    job.message(`${Buffer.isBuffer(params)} ${params.byteLength}`)
    return params.subarray(1)
  },
})

/** Bytes of which nothing is left. */
export const transferred = defineJob({
  method: 'test.transferred',
  run() {
    const view = new Uint8Array(8)
    structuredClone(view, { transfer: [view.buffer] })
    return view
  },
})

export const misfit = defineJob({
  method: 'test.misfit',
  result: z.object({ pages: z.number() }),
  run: () => ({ pages: 'many' }) as unknown as { pages: number },
})

/** Says where it is, a row every 50 ms, and goes on where an attempt before it was; fails at the row it is told to. */
export const rows = defineJob({
  method: 'test.rows',
  params: z.object({ count: z.number(), failAt: z.number().optional() }),
  async run(job, { count, failAt }) {
    const { row: from } = (job.lastHeartbeat ?? { row: 0 }) as { row: number }
    for (let row = from + 1; row <= count; row += 1) {
      job.heartbeat({ row })
      if (row === failAt) throw new Error(`no row ${row}`)
      await pause(50)
    }
    return { from }
  },
})

/** Gives heartbeats what they are not to have. */
export const overfull = defineJob({
  method: 'test.overfull',
  run(job) {
    const refused: string[] = []
    for (const data of ['x'.repeat(65_536), { n: 1n }, () => {}]) {
      try {
        job.heartbeat(data)
      } catch (error) {
        refused.push(String(error))
      }
    }
    return refused
  },
})

export const large = defineJob({
  method: 'test.large',
  run: (_job, { chars }: { chars: number }) => 'x'.repeat(chars),
})

export const pages = defineJob({
  method: 'test.pages',
  run: async (_job, { count }: { count: number }) =>
    (async function* () {
      for (let n = 0; n < count; n += 1) yield Buffer.alloc(1_000, n)
    })() as AsyncIterable<Uint8Array>,
})

export const lines = defineJob({
  method: 'test.lines',
  run: async () => Readable.from(['a line', 'another']),
})
