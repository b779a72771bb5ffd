import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { status } from '@grpc/grpc-js'
import { expect, expectTypeOf, test } from 'vitest'
import { byteStream } from '../jobs/byte-stream.ts'
import { defineJob } from '../jobs/definition.ts'
import type { Received, ResultOf } from '../jobs/method.ts'
import { startJobIn } from '../sql/mod.ts'
import { setUpClient } from '../testing/client-fixture.ts'
import { succeeded, succeededAt } from '../testing/fake-completions.ts'
import { addressOf } from '../testing/place-names.ts'

const importRows = defineJob({
  method: 'rows.import',
  params: byteStream,
  async run(_job, rows) {
    expectTypeOf(rows).toEqualTypeOf<AsyncIterable<Uint8Array>>()
    let bytes = 0
    for await (const piece of rows) bytes += piece.byteLength
    return bytes
  },
})

const seal = { name: 'seal', wrap: () => undefined, unwrap: (bytes: Uint8Array) => bytes }
const PIECES = Array.from({ length: 20 }, () => randomBytes(100_000))
const WHOLE = Buffer.concat(PIECES)

function webStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of PIECES) controller.enqueue(piece)
      controller.close()
    },
  })
}

test.each([
  ['a stream of Node', () => Readable.from(PIECES)],
  ['a stream of the web', webStream],
  ['bytes', () => WHOLE],
] as const)('parameters that are %s are put as the own of the job', async (_what, source) => {
  await using it = await setUpClient()
  await it.offstage.startJob(importRows, source())
  const [value] = it.storage.values.values()
  expect(value?.bytes.equals(WHOLE)).toBe(true)
  expect(value?.header).toMatchObject({ forJob: true, contentType: 'application/octet-stream' })
  const { params, paramsOwned } = it.scheduler.starts[0]?.job ?? {}
  expect(params?.source?.$case).toBe('address')
  expect(params?.contentType).toBe('application/octet-stream')
  expect(paramsOwned).toBe(true)
})

test('a method that is known by name alone takes a stream, and a bulk start one for each job', async () => {
  await using it = await setUpClient()
  await it.offstage.startJob('rows.import', Readable.from(PIECES))
  await it.offstage.startJobs(importRows, [Readable.from(PIECES), Readable.from(PIECES)])
  const lengths = [...it.storage.values.values()].map(({ bytes }) => bytes.length)
  expect(lengths).toEqual([WHOLE.length, WHOLE.length, WHOLE.length])
})

test('a start that is refused leaves neither a value nor an open stream', async () => {
  await using it = await setUpClient()
  it.scheduler.refusals = [{ code: status.FAILED_PRECONDITION, reason: 'SCOPE_CLOSED' }]
  const refused = Readable.from(PIECES)
  await expect(it.offstage.startJob(importRows, refused)).rejects.toMatchObject({
    reason: 'SCOPE_CLOSED',
  })
  expect(it.storage.values.size).toBe(0)
  const unread = Readable.from(PIECES)
  const nowhere = { resultAddress: addressOf(9) }
  await expect(it.offstage.startJob(importRows, unread, nowhere)).rejects.toMatchObject({
    reason: 'VALUE_NOT_FOUND',
  })
  expect([refused.destroyed, unread.destroyed]).toEqual([true, true])
})

test('a stream that breaks off starts nothing, and its fault is told', async () => {
  await using it = await setUpClient()
  async function* broken() {
    yield PIECES[0] as Buffer
    throw new RangeError('the disk is gone')
  }
  await expect(it.offstage.startJob(importRows, broken())).rejects.toThrow('the disk is gone')
  it.storage.writeBreaks = 1
  it.storage.writeBreaksAfter = 5 * 1024 * 1024
  const long = Readable.from([...PIECES, ...PIECES, ...PIECES])
  await expect(it.offstage.startJob(importRows, long)).rejects.toMatchObject({
    code: status.UNAVAILABLE,
  })
  expect([it.storage.values.size, it.scheduler.starts.length]).toEqual([0, 0])
})

test('a short stream is sent again where it is interrupted, and starts one job', async () => {
  await using it = await setUpClient()
  it.storage.writeBreaks = 1
  await it.offstage.startJob(importRows, Readable.from(PIECES))
  expect([it.storage.writeBreaks, it.scheduler.starts.length]).toEqual([0, 1])
  expect([...it.storage.values.values()].map(({ bytes }) => bytes.equals(WHOLE))).toEqual([true])
})

test('a stream that gives something else than bytes is refused by field', async () => {
  await using it = await setUpClient()
  const start = it.offstage.startJob('rows.import', Readable.from(['a text']))
  const description = 'a stream to put gives bytes, not "a text"'
  await expect(start).rejects.toMatchObject({
    ...{ reason: 'PARAMS_INVALID', violations: [{ field: 'params', description }] },
  })
})

test('a stream of more than 1 GiB is refused as soon as it is too long', async () => {
  await using it = await setUpClient()
  let left = false
  async function* endless() {
    try {
      for (;;) yield new Uint8Array(2 ** 30 + 1)
    } finally {
      left = true
    }
  }
  await expect(it.offstage.startJob(importRows, endless())).rejects.toMatchObject({
    ...{ reason: 'PARAMS_TOO_LARGE', violations: [{ field: 'params' }] },
  })
  expect(left).toBe(true)
  expect(it.storage.values.size).toBe(0)
})

test('a stream is refused where the codec wraps, so that nothing travels in clear that is to be sealed', async () => {
  await using it = await setUpClient({ codec: { wrappers: [seal] } })
  const stream = Readable.from(PIECES)
  await expect(it.offstage.startJob(importRows, stream)).rejects.toMatchObject({
    ...{ reason: 'PARAMS_INVALID', violations: [{ field: 'params' }] },
  })
  await expect(it.offstage.startJob(importRows, WHOLE)).rejects.toThrow("codec: 'json'")
  expect(stream.destroyed).toBe(true)
  await it.offstage.startJob({ ...importRows, codec: 'json' }, Readable.from(PIECES))
  expect(it.storage.values.size).toBe(1)
})

test('what takes a stream has neither wrappers nor labels made of it, and no start by SQL', async () => {
  const { run, params } = importRows
  const define = (more: object) => () => defineJob({ method: 'm', params, run, ...more })
  expect(define({ codec: { wrappers: [seal] } })).toThrow('codec wraps')
  expect(define({ labels: () => ({}) })).toThrow('labels cannot')
  const client = { query: async () => ({ rows: [] }) }
  const start = startJobIn(client, importRows, Readable.from(PIECES))
  await expect(start).rejects.toMatchObject({ reason: 'PARAMS_INVALID' })
})

test('what is no stream is refused by field', async () => {
  await using it = await setUpClient()
  // @ts-expect-error: that it does not compile either is checked by this line
  const start = it.offstage.startJob(importRows, { rows: 3 })
  await expect(start).rejects.toMatchObject({
    violations: [{ field: 'params', description: expect.stringContaining('stream of bytes') }],
  })
})

test('a result is read as a stream, wherever it is', async () => {
  await using it = await setUpClient()
  it.storage.keep(addressOf(1), 'x'.repeat(500_000))
  const ends = [succeeded({ n: 1 }), succeededAt(addressOf(1)), succeeded()]
  const read = []
  for (const end of ends) {
    it.scheduler.onStart = () => end
    const job = await it.offstage.startJob('rows.export', null)
    const { contentType, size, chunks } = await job.resultStream()
    let length = 0
    for await (const { byteLength } of chunks) length += byteLength
    read.push({ contentType, size, length })
  }
  const contentType = 'application/json'
  expect(read).toEqual([
    { contentType, size: 7, length: 7 },
    { contentType, size: 500_002, length: 500_002 },
    { contentType, size: 0, length: 0 },
  ])
  it.scheduler.onStart = () => succeededAt(addressOf(1), randomBytes(32))
  const replaced = await it.offstage.startJob('rows.export', null)
  await expect(replaced.resultStream()).rejects.toMatchObject({ reason: 'RESULT_REPLACED' })
})

test('what was returned as a stream comes as its bytes where it is read whole, and is typed so', async () => {
  await using it = await setUpClient()
  const exportRows = defineJob({ method: 'rows.export', run: () => Readable.from(PIECES) })
  it.storage.keep(addressOf(1), 7)
  it.scheduler.onStart = () => succeededAt(addressOf(1), undefined, 'application/octet-stream')
  const job = await it.offstage.startJob(exportRows)
  const values = [await job.value(), await it.offstage.run(exportRows), job.result]
  expectTypeOf(values).toEqualTypeOf<(Buffer | string | null | undefined)[]>()
  expect(values).toEqual([Buffer.from('7'), Buffer.from('7'), Buffer.from('7')])
  expectTypeOf(await it.offstage.job(job.id, exportRows).value()).toEqualTypeOf<Buffer>()
  expectTypeOf<ResultOf<typeof exportRows>>().toEqualTypeOf<Buffer>()
  type Told = Received<AsyncIterable<Uint8Array> | { n: number }>
  expectTypeOf<Told>().toEqualTypeOf<Buffer | { n: number }>()
})
