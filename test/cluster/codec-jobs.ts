import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { defineJob, type JobContext, type Wrapper } from '@offstage/sdk/jobs'

/** More than JSON holds. */
export interface Rich {
  readonly at: Date
  readonly sum: bigint
  readonly bytes: Uint8Array
  readonly counts: ReadonlyMap<number, Set<string>>
  readonly missing: undefined
  readonly series: Float64Array
}

/** Gives back what it got, and what it saw of it. */
export const rich = defineJob({
  method: 'codec.rich',
  codec: 'cbor',
  run(_job, params: Rich & { readonly padding?: string }) {
    const { at, sum, counts } = params
    return { ...params, seen: `${at.getUTCFullYear()} ${sum + 1n} ${counts.get(1)?.size}` }
  },
})

const gzip: Wrapper = {
  name: 'gzip',
  wrap: (bytes) => ({ bytes: gzipSync(bytes) }),
  unwrap: (bytes) => gunzipSync(bytes),
}

/** Encrypts with a key that its id makes. */
export function sealWith(key: string): Wrapper {
  const keyOf = (id: string) => createHash('sha256').update(id).digest()
  return {
    name: 'seal',
    wrap(bytes) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keyOf(key), iv)
      const sealed = Buffer.concat([cipher.update(bytes), cipher.final()])
      return { bytes: Buffer.concat([iv, cipher.getAuthTag(), sealed]), keyId: key }
    },
    unwrap(bytes, _type, keyId) {
      const opener = createDecipheriv('aes-256-gcm', keyOf(keyId), bytes.subarray(0, 12))
      opener.setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([opener.update(bytes.subarray(28)), opener.final()])
    },
  }
}

interface Secret {
  readonly secret: string
  readonly copies: number
}

/** Brings what it is told to every place where a job can leave a value. */
async function spread(job: JobContext, { secret, copies }: Secret, child: typeof sealedChild) {
  job.setAdditionalResult({ secret })
  const { address } = await job.storage.put({ secret })
  const again = await job.run(child, { secret })
  const { secret: kept } = await job.storage.get<{ secret: string }>(address)
  return { text: again.repeat(copies), address, kept }
}

const seal = sealWith('k2')
/** As one that has to ask for its key. */
const slowSeal: Wrapper = { ...seal, unwrap: async (...sealed) => seal.unwrap(...sealed) }
const sealing = { format: 'cbor', wrappers: [gzip, slowSeal] } as const

export const sealedChild = defineJob({
  method: 'codec.sealed-child',
  codec: sealing,
  run: (_job, { secret }: { readonly secret: string }) => secret,
})

export const sealed = defineJob({
  method: 'codec.sealed',
  codec: sealing,
  run: (job, params: Secret) => spread(job, params, sealedChild),
})

export const openChild = defineJob({
  method: 'codec.open-child',
  run: (_job, { secret }: { readonly secret: string }) => secret,
})

export const open = defineJob({
  method: 'codec.open',
  run: (job, params: Secret) => spread(job, params, openChild),
})

/** Returns what a wrapper cannot take. */
export const sealedStream = defineJob({
  method: 'codec.sealed-stream',
  codec: sealing,
  async *run() {
    yield Buffer.from('a')
  },
})

/** Tells in every way there is, and fails twice. */
function tellAll(job: JobContext, { secret }: { readonly secret: string }): void {
  const last = job.lastHeartbeat as { readonly secret: string } | undefined
  job.message(`attempt ${job.attempt}, last ${last?.secret}`)
  job.message('', { severity: 'warning', extra: { secret } })
  job.progress(40, `at ${secret}`, { secret })
  job.heartbeat({ secret })
  throw new Error(`cannot find ${secret}`)
}

const TWICE = { retry: { maxAttempts: 2, initialBackoffMs: 1 } } as const

export const openReports = defineJob({ method: 'codec.open-reports', ...TWICE, run: tellAll })

export const sealedReports = defineJob({
  method: 'codec.sealed-reports',
  codec: { wrappers: [seal], wrapReports: true },
  ...TWICE,
  run: tellAll,
})
