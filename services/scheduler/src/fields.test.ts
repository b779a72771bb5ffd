/** Whatever a caller sends is refused by the name of its field, or recorded; never an unexpected fault (guarantee 6). */
import { randomUUID } from 'node:crypto'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { complete, millis } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const job = { method: 'test.job' }
const ages = { seconds: 9_000_000_000_000_000n, nanos: 0 }
const inline = { $case: 'inline' as const, value: Buffer.from('{}') }
const latin1 = { $case: 'inline' as const, value: Buffer.from('"\xe9"', 'latin1') }
const address = `val_${'0'.repeat(32)}`
const long = 'x'.repeat(3_000_000)

test('a start that PostgreSQL could not hold is refused, naming the field', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const wrong = [
    [
      { params: { source: inline, contentType: 'a\0b' } },
      /params\.content_type must be a media type/,
    ],
    [
      { params: { source: { $case: 'address', value: 'a\0b' } } },
      /params\.address must be an address/,
    ],
    [{ requestId: '\0' }, /request_id must not contain a NUL/],
    [{ labels: { a: '\0' } }, /labels\[a\] must not contain a NUL/],
    [{ labels: { '\0': 'a' } }, /labels\[.\] must not contain a NUL/s],
    [{ tracestate: '\0' }, /tracestate must not contain a NUL/],
    [
      { additionalResultAddress: long },
      /additional_result_address must be an address temp storage gave/,
    ],
    [
      { resultAddress: address, additionalResultAddress: address },
      /additional_result_address must be another than result_address/,
    ],
    [{ resultAddress: '../../etc/passwd' }, /result_address must be an address temp storage gave/],
    [{ resultAddress: `val_${'0'.repeat(31)}` }, /result_address must be an address/],
    [{ params: { source: { $case: 'address', value: 'here' } } }, /params\.address must be an/],
    [{ scope: 'form-1' }, /scope must be a scope temp storage opened/],
    [
      { params: { source: inline, contentType: 'a/b\r\nc' } },
      /params\.content_type must be a media/,
    ],
    [{ params: { source: latin1 } }, /params\.inline is no UTF-8, as JSON must be/],
    [
      { params: { source: latin1, contentType: 'application/json; charset=utf-8' } },
      /params\.inline is no UTF-8/,
    ],
    [{ displayName: long }, /display_name must be at most 200/],
    [{ traceparent: long }, /traceparent must be a W3C trace context/],
    [{ traceparent: 'garbage' }, /traceparent must be a W3C trace context/],
    [
      { traceparent: `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01` },
      /traceparent must be a W3C trace context/,
    ],
    [{ tracestate: long }, /tracestate must be at most 512/],
    [{ labels: { 'offstage.schedule': 'nightly' } }, /labels\[offstage\.schedule\] is reserved/],
    [{ labels: { [long]: 'a' } }, /labels\[x{63}\] must have a key of 1 to 63/],
    [
      {
        labels: Object.fromEntries(
          Array.from({ length: 10_000 }, (_, i) => [`k${i}`, long.slice(0, 300)]),
        ),
      },
      /labels must be at most 32/,
    ],
    [{ startTime: new Date('+012000-01-01T00:00:00Z') }, /start_time must be within the years/],
    [{ startTime: new Date('0000-12-31T23:59:59Z') }, /start_time must be within the years/],
    [{ delay: ages }, /delay must be within 0 and 10 years/],
    [{ deadlines: { queue: ages } }, /deadlines\.queue must be within 0 and 10 years/],
    [{ deadlines: { attempt: ages } }, /deadlines\.attempt must be positive and at most 24 days/],
    [{ deadlines: { total: ages } }, /deadlines\.total must be within 0 and 10 years/],
    [{ deadlines: { total: millis(0) } }, /deadlines\.total must be positive/],
    [
      { deadlines: { heartbeat: millis(999) } },
      /deadlines\.heartbeat must be within 1 s and 24 days/,
    ],
    [{ deadlines: { heartbeat: ages } }, /deadlines\.heartbeat must be within 1 s and 24 days/],
    [
      { retryPolicy: { maxAttempts: 2, initialBackoff: ages, maxBackoff: ages } },
      /retry_policy\.initial_backoff must be within 0 and 10 years/,
    ],
    [{ retryPolicy: { maxAttempts: 2, maxBackoff: millis(1) } }, /max_backoff must not be below/],
  ] as const
  for (const [spec, message] of wrong) {
    await expect(it.jobs.start({ ...job, ...spec })).rejects.toThrow(message)
  }
})

test('the longest times that are allowed are recorded, and a retry with them as well', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const years = millis(10 * 366 * 86_400_000)
  const far = await it.jobs.start({
    ...job,
    startTime: new Date('9999-12-31T23:59:59.999Z'),
    deadlines: { queue: years, attempt: millis(24 * 86_400_000) },
  })
  expect((await it.jobs.get(far.jobId)).dueTime?.getUTCFullYear()).toBe(9999)
  const retryPolicy = { maxAttempts: 2, initialBackoff: years, maxBackoff: years }
  const { jobId } = await it.jobs.start({ ...job, retryPolicy })
  await executor.assigned(1)
  const value = { brief: 'no', retryable: true }
  executor.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'failed', value } }] })
  await expect
    .poll(async () => (await it.jobs.get(jobId)).state)
    .toBe(proto.JobState.JOB_STATE_SCHEDULED)
})

/** What is sent by hand is not asked again by itself where the database fails it. */
function isTaken(send: () => Promise<unknown>) {
  return expect.poll(() => send().catch((error: Error) => error)).not.toBeInstanceOf(Error)
}

test('a start time no Date can hold is refused, not taken for none', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  await expect(startAtSeconds(it.address, 300_000_000_000_000n)).rejects.toThrow(
    /start_time must be/,
  )
  await isTaken(() => startAtSeconds(it.address, 1_900_000_000n))
})

test('a text that is no UTF-8 is refused, not taken for another', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const key = (bytes: readonly number[]) => startRaw(it.address, lengthened(3, Buffer.from(bytes)))
  await expect(key([0x61, 0xff])).rejects.toThrow(/a text in it is no UTF-8/)
  await isTaken(() => key([0x61, 0xc3, 0xa4]))
})

test('a trace header that does not fit is left out, and fails no start', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const metadata = new Metadata()
  metadata.set('traceparent', '00-not-a-trace')
  metadata.set('tracestate', 'x'.repeat(600))
  const request = proto.StartJobRequest.fromPartial({ job })
  const { jobId } = await new Promise<proto.StartedJob>((resolve, reject) =>
    it.jobs.raw.startJob(request, metadata, (error, answer) =>
      error === null && answer.job !== undefined ? resolve(answer.job) : reject(error),
    ),
  )
  expect((await it.jobs.get(jobId)).traceparent).toBe('')
})

test('what says something of parameters that are not there is refused', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const sha256 = Buffer.alloc(32)
  const inline = { $case: 'inline', value: Buffer.from('1') } as const
  await expect(it.jobs.start({ ...job, params: { source: inline, sha256 } })).rejects.toThrow(
    /params\.sha256 is of a value at an address/,
  )
  await expect(it.jobs.start({ ...job, params: { contentType: 'text/plain' } })).rejects.toThrow(
    /params\.content_type is of a value/,
  )
})

test('a watch that names another namespace than it began with is refused', async () => {
  await using it = await start()
  const watch = it.jobs.raw.watchJobs()
  const refused = new Promise<Error>((resolve) => watch.on('error', resolve).on('data', () => {}))
  const add = [{ jobId: randomUUID() }]
  for (const namespace of ['', 'default', '', 'other']) {
    watch.write(complete(proto.WatchJobsRequest, { namespace, add }))
  }
  expect((await refused).message).toContain('namespace is another than that of the first request')
})

test('a filter nothing could match is refused, naming the field', async () => {
  await using it = await start()
  const wrong = [
    [{ states: [100_000] }, /filter\.states must be known values/],
    [{ kinds: [100_000] }, /filter\.kinds must be known values/],
    [{ key: '\0' }, /filter\.key must not contain a NUL/],
    [{ key: long }, /filter\.key must be at most 200/],
    [{ owner: '\0' }, /filter\.owner must not contain a NUL/],
    [{ labels: { a: '\0' } }, /filter\.labels\[a\] must not contain a NUL/],
    [{ methods: ['a', '\0'] }, /filter\.methods\[1\] must not contain a NUL/],
    [{ methods: ['a/b'] }, /filter\.methods\[0\] must be the name of a method/],
    [{ parentJobId: 'x' }, /filter\.parent_job_id must be a job id/],
    [{ text: 'state:failed stat:x' }, /filter\.text is wrong at character 14: stat is no field/],
    [{ text: 'state:failed', states: [5] }, /filter\.text names state, which is set beside it/],
    [{ methods: Array.from({ length: 101 }, () => 'a') }, /filter\.methods must be at most 100/],
    [{ createdFrom: new Date('+020000-01-01T00:00:00Z') }, /filter\.created_from must be within/],
    [{ createdBefore: new Date('+020000-01-01T00:00:00Z') }, /filter\.created_before must be/],
  ] as const
  for (const [filter, message] of wrong) {
    const sent = proto.JobFilter.fromPartial(filter as never)
    await expect(it.jobs.list(sent)).rejects.toThrow(message)
  }
})

test('a page token that is not a page token is refused as such', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  await it.jobs.startMany([job, job])
  const { nextPageToken } = await it.jobs.list({}, { pageSize: 1 })
  const [digest] = Buffer.from(nextPageToken, 'base64url').toString().split('.')
  const pageToken = Buffer.from(`${digest}.${'-'.repeat(36)}`).toString('base64url')
  await expect(it.jobs.list({}, { pageToken })).rejects.toThrow(/page_token does not belong/)
  expect((await it.jobs.list({}, { pageToken: nextPageToken })).jobs).toHaveLength(1)
})

test('a method whose limits no job could keep is refused when it is announced', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, {
    definitions: [{ name: 'test.job', deadlines: { queue: ages } }],
  })
  expect(executor.ended).toBe(true)
})

/** As a caller does that is no JavaScript: seconds beyond what a Date holds. */
function startAtSeconds(address: string, seconds: bigint): Promise<unknown> {
  return startRaw(address, lengthened(14, Buffer.from([8, ...varint(seconds)])))
}

function varint(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)]
}

/** A field with its number and its length. */
function lengthened(number: number, bytes: Uint8Array): Buffer {
  const head = [...varint(BigInt((number << 3) | 2)), ...varint(BigInt(bytes.length))]
  return Buffer.from([...head, ...bytes])
}

/** A start with fields of the job that no client would write so. */
function startRaw(address: string, fields: Uint8Array): Promise<unknown> {
  const spec = proto.JobSpec.encode(proto.JobSpec.fromPartial(job)).finish()
  const request = lengthened(2, Buffer.concat([spec, fields]))
  const client = new Client(address, credentials.createInsecure())
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      '/offstage.jobs.v1.JobService/StartJob',
      (bytes: Buffer) => bytes,
      (bytes) => proto.StartJobResponse.decode(bytes),
      request,
      (error, answer) => (error === null ? resolve(answer) : reject(error)),
    )
  }).finally(() => client.close())
}
