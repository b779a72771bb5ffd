import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Offstage } from '@offstage/sdk'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import {
  open,
  openReports,
  type Rich,
  rich,
  sealed,
  sealedReports,
  sealedStream,
  sealWith,
} from './cluster/codec-jobs.ts'

const jobs = new URL('./cluster/codec-jobs.ts', import.meta.url)

async function setup() {
  const stack = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'offstage-codecs-'))
  stack.defer(() => rm(data, { recursive: true }))
  const cluster = stack.use(
    await startCluster({
      ...{ jobs, schedulers: 1, executors: 1, storage: true },
      envOf: (service) => (service === 'storage' ? { OFFSTAGE_STORAGE_DATA_DIR: data } : {}),
    }),
  )
  const services = { scheduler: cluster.target(), storage: cluster.storage }
  const offstage = stack.use(await Offstage.connect(services))
  const kept = async () => (await rowsOf(cluster.databaseUrl)) + (await filesOf(data))
  return { offstage, services, kept, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Shared: starting it takes longer than they do. */
let it: Awaited<ReturnType<typeof setup>>
beforeAll(async () => {
  it = await setup()
})
afterAll(() => it[Symbol.asyncDispose]())

/** Everything in the database as text, and what is written there in hexadecimal or base64 as what it means. */
async function rowsOf(databaseUrl: string): Promise<string> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname LIKE 'offstage%'`,
    )
    const texts: string[] = []
    for (const { name } of rows) {
      const table = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
      texts.push(...table.rows.map(({ row }) => row))
    }
    return texts.map(withMeaning).join('\n')
  } finally {
    await client.end()
  }
}

function withMeaning(row: string): string {
  const hex = [...row.matchAll(/\\x([0-9a-f]+)/g)].map(([, run = '']) => Buffer.from(run, 'hex'))
  const base64 = [...row.matchAll(/[A-Za-z0-9+/]{16,}/g)].map(([run]) => Buffer.from(run, 'base64'))
  return [row, ...hex.map(String), ...base64.map(String)].join('\n')
}

async function filesOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const texts = files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1'))
  return (await Promise.all(texts)).join('\n')
}

const RICH: Rich = {
  at: new Date('2026-03-04T05:06:07.089Z'),
  sum: 2n ** 70n,
  bytes: new Uint8Array([0, 255]),
  counts: new Map([[1, new Set(['a', 'b'])]]),
  missing: undefined,
  series: new Float64Array([0.5, Number.NaN]),
}

test('dates, bytes, big integers, maps, sets and undefined go into a job and come out of it, small and large', async () => {
  const { offstage } = it
  const answer = { ...RICH, seen: '2026 1180591620717411303425 2' }
  const handle = await offstage.startJob(rich, RICH)
  const done = await handle.waitForCompletion()
  expect(done).toMatchObject({ state: 'succeeded', result: answer })
  expect(handle.result).toStrictEqual(answer)
  expect((await handle.refresh()).params).toStrictEqual(RICH)

  const large = { ...RICH, padding: 'x'.repeat(100_000) }
  const largeHandle = await offstage.startJob(rich, large)
  expect(await largeHandle.value()).toStrictEqual({ ...large, seen: answer.seen })
  expect(largeHandle.resultAddress).toBeDefined()

  const all = await offstage.runAll(rich, [RICH, large, RICH])
  expect(all).toStrictEqual([answer, { ...large, seen: answer.seen }, answer])

  // Nothing but the format is needed to read it, so that any client can.
  expect(await offstage.job(handle.id).value()).toStrictEqual(answer)

  // By its name alone the codec is that of the client.
  await using rather = await Offstage.connect({ ...it.services, codec: 'cbor' })
  expect(await rather.run('codec.rich', RICH)).toStrictEqual(answer)
  const { address } = await rather.storage.put(RICH)
  expect(await offstage.storage.get(address)).toStrictEqual(RICH)

  await expect(offstage.run(rich, { ...RICH, padding: (() => '') as never })).rejects.toMatchObject(
    {
      reason: 'PARAMS_INVALID',
      violations: [{ field: 'params.padding', description: 'CBOR has no function' }],
    },
  )
})

test('what is sealed lies nowhere in plain text, and is read by whoever has the wrappers', async () => {
  const { offstage } = it

  // The search finds what is there.
  for (const copies of [1, 10_000]) {
    const secret = `seen-${randomUUID()}`
    await offstage.run(open, { secret, copies }, { additionalResult: true })
    expect((await it.kept()).split(secret).length).toBeGreaterThan(4)
  }

  const secret = `hidden-${randomUUID()}`
  for (const copies of [1, 10_000]) {
    const handle = await offstage.startJob(sealed, { secret, copies }, { additionalResult: true })
    const done = await handle.waitForCompletion()
    expect(done).toMatchObject({ state: 'succeeded', additionalResult: { secret } })
    expect(done.result).toMatchObject({ text: secret.repeat(copies), kept: secret })
    expect((await handle.refresh()).params).toEqual({ secret, copies })
  }
  const large = { secret: secret.repeat(3_000), copies: 0 }
  expect(await offstage.run(sealed, large)).toMatchObject({ kept: large.secret })
  expect(await it.kept()).not.toContain(secret)

  const { id } = await offstage.startJob(sealed, { secret, copies: 1 })
  const contentType = 'application/vnd.offstage.wrapped; of=cbor; by="gzip,seal:k2"'
  await expect(offstage.job(id).value()).rejects.toMatchObject({
    ...{ name: 'OffstageError', reason: 'CODEC_UNKNOWN', metadata: { contentType } },
  })
  expect((await offstage.job(id).refresh()).params).toBeInstanceOf(Buffer)
  const { address } = await offstage.job(id, sealed).value()
  await expect(offstage.storage.get(address)).rejects.toMatchObject({ reason: 'CODEC_UNKNOWN' })
  expect(await offstage.storage.get(address, { codec: sealed.codec })).toEqual({ secret })

  await using knowing = await Offstage.connect({ ...it.services, codec: sealed.codec })
  expect(await knowing.job(id).value()).toMatchObject({ text: secret })
  expect(await knowing.run('codec.sealed', { secret, copies: 1 })).toMatchObject({ kept: secret })
  expect(await it.kept()).not.toContain(secret)
})

test('where the codec says so, what a job tells of itself lies nowhere in plain text either', async () => {
  const { offstage } = it
  const seen = `seen-${randomUUID()}`
  await (await offstage.startJob(openReports, { secret: seen })).waitForCompletion()
  expect((await it.kept()).split(seen).length).toBeGreaterThan(8)

  const secret = `hidden-${randomUUID()}`
  const heard: unknown[] = []
  const handle = await offstage.startJob(sealedReports, { secret })
  const done = await handle.waitForCompletion({
    onMessage: ({ text, severity, extra }) => heard.push([text, severity, extra]),
    onProgress: ({ percent, text, extra }) => heard.push([percent, text, extra]),
  })
  const messages = [
    ['attempt 1, last undefined', undefined],
    ['', { secret }],
    [`attempt 2, last ${secret}`, undefined],
    ['', { secret }],
  ]
  expect(done.messages.map(({ text, extra }) => [text, extra])).toEqual(messages)
  expect(heard).toContainEqual(['', 'warning', { secret }])
  expect(heard).toContainEqual([40, `at ${secret}`, { secret }])
  const fault = { reason: 'Error', brief: `cannot find ${secret}` }
  expect(done).toMatchObject({ state: 'failed', error: fault })
  expect(done.error?.detail).toContain('codec-jobs.ts')
  await expect(handle.value()).rejects.toMatchObject(fault)
  const record = await handle.refresh()
  expect(record).toMatchObject({ heartbeatData: { secret }, progress: { text: `at ${secret}` } })

  const WRAPPED = 'What the job says here is wrapped by its codec.'
  const stranger = offstage.job(handle.id)
  expect(await stranger.waitForCompletion()).toMatchObject({
    error: { reason: 'Error', brief: WRAPPED },
  })
  expect((await stranger.messages()).map(({ text }) => text)).toEqual(Array(4).fill(WRAPPED))
  expect(record.attempts.map(({ errorBrief }) => errorBrief)).toEqual([WRAPPED, WRAPPED])
  expect(await it.kept()).not.toContain(secret)
})

test('a job whose parameters are wrapped by what its executor does not know fails and says by what', async () => {
  await using other = await Offstage.connect({
    ...it.services,
    codec: { wrappers: [{ ...sealWith('k9'), name: 'vault' }] },
  })
  await expect(other.run('codec.sealed', { secret: 'a', copies: 1 })).rejects.toMatchObject({
    reason: 'CODEC_UNKNOWN',
    brief: expect.stringContaining('"vault" with the key k9'),
  })
  // One that knows the key but not what was done with it.
  await using wrong = await Offstage.connect({
    ...it.services,
    codec: { wrappers: [{ ...sealWith('k2'), wrap: (bytes) => ({ bytes, keyId: 'k2' }) }] },
  })
  await expect(wrong.run('codec.sealed', 'x'.repeat(50))).rejects.toMatchObject({
    reason: 'CODEC_FAILED',
  })
  await expect(it.offstage.run(sealedStream)).rejects.toMatchObject({
    reason: 'RESULT_NOT_SERIALIZABLE',
    brief: expect.stringContaining('a stream cannot be wrapped'),
  })
  await expect(other.storage.put(pages())).rejects.toThrow('a stream cannot be wrapped')
})

async function* pages() {
  yield Buffer.from('a')
}
