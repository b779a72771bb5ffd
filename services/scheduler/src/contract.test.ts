/** What the contract promises of reading jobs: views, pages, and a watch for callers that cannot stream requests. */
import { randomUUID } from 'node:crypto'
import { pageTokenAt } from '@offstage/kit/grpc'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { ask } from './testing/ask.ts'
import { complete, type Draft, millis } from './testing/draft.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { openWatch } from './testing/watch.ts'

const { JOB_VIEW_BASIC, JOB_VIEW_FULL } = proto.JobView
const params = {
  source: { $case: 'inline', value: Buffer.from('{"n":1}') },
  contentType: '',
} as const

test('the view BASIC leaves out parameters, results and details; FULL has them, in a listing too', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job', params })
  executor.succeed(...(await executor.assigned(1)))
  await it.jobs.wait([jobId])
  const one = async (view: proto.JobView) =>
    (await ask(it.jobs.raw, it.jobs.raw.getJob, proto.GetJobRequest, { jobId, view })).job
  const listed = async (view: proto.JobView) =>
    (await ask(it.jobs.raw, it.jobs.raw.listJobs, proto.ListJobsRequest, { view })).jobs[0]
  for (const read of [one, listed]) {
    expect((await read(JOB_VIEW_FULL))?.params).toMatchObject(params)
    expect((await read(JOB_VIEW_FULL))?.completion?.result?.source).toBeDefined()
    expect((await read(JOB_VIEW_BASIC))?.params).toBeUndefined()
    expect((await read(JOB_VIEW_BASIC))?.completion).toMatchObject({ result: undefined })
  }
  expect((await one(0))?.params).toMatchObject(params)
  expect((await listed(0))?.params).toBeUndefined()
  await expect(one(7 as proto.JobView)).rejects.toThrow('view is not a known value')
})

test('messages come page by page, and a token of another job is refused', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await executor.assigned(1)
  const numbers = [1, 2, 3, 4, 5]
  executor.say({
    messages: numbers.map((number) => ({ jobId, attempt: 1, number, text: `${number}` })),
  })
  const page = (draft: Draft<proto.ListJobMessagesRequest>) =>
    ask(it.jobs.raw, it.jobs.raw.listJobMessages, proto.ListJobMessagesRequest, { jobId, ...draft })
  await until(async () => (await page({})).messages.length === 5)
  const texts: string[] = []
  for (let pageToken = '', more = true; more; more = pageToken !== '') {
    const { messages, nextPageToken } = await page({ pageSize: 2, afterSequence: 1, pageToken })
    texts.push(messages.map(({ text }) => text).join())
    pageToken = nextPageToken
  }
  expect(texts).toEqual(['2,3', '4,5'])
  const { nextPageToken: pageToken } = await page({ pageSize: 2 })
  const other = await it.jobs.start({ method: 'test.job' })
  await expect(page({ pageToken, jobId: other.jobId })).rejects.toThrow('does not belong')
  await expect(page({ pageToken, afterSequence: 1 })).rejects.toThrow('does not belong')
})

test('what is no position of a page, or of a watch, is refused by its name', async () => {
  await using it = await start()
  await using _ = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  const messages = (draft: Draft<proto.ListJobMessagesRequest>) =>
    ask(it.jobs.raw, it.jobs.raw.listJobMessages, proto.ListJobMessagesRequest, { jobId, ...draft })
  for (const position of ['99999999999', '-5', '1e3', '']) {
    const pageToken = pageTokenAt(position, ['messages', 'default', jobId, 0])
    await expect(messages({ pageToken }), position).rejects.toThrow('page_token does not belong')
  }
  using namespaces = connectNamespaces(it.address)
  for (const position of ['a\0b', 'x'.repeat(500)]) {
    const pageToken = pageTokenAt(position, ['methods', 'default'])
    await expect(namespaces.listMethods({ pageToken })).rejects.toThrow(
      'page_token does not belong',
    )
  }
  expect((await messages({ afterSequence: 2 ** 31 - 1 })).messages).toEqual([])
  await expect(messages({ afterSequence: -1 })).rejects.toThrow('after_sequence must be 0 or more')
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId, afterSequence: -1 }] })
  await until(() => watch.ended)
  expect(watch.error?.details).toBe('add[0].after_sequence must be 0 or more')
})

test('a duration that is none, and a backoff that is no number, are refused, naming the field', async () => {
  await using it = await start()
  await using _ = await attachExecutor(it.address)
  const begin = (spec: Draft<proto.JobSpec>) => it.jobs.start({ method: 'test.job', ...spec })
  for (const delay of [
    { seconds: 1n, nanos: -5 },
    { seconds: 1n, nanos: 1_999_999_999 },
  ]) {
    await expect(begin({ delay })).rejects.toThrow('delay must be')
    await expect(begin({ deadlines: { queue: delay } })).rejects.toThrow('deadlines.queue must be')
    await expect(
      ask(it.jobs.raw, it.jobs.raw.waitJobs, proto.WaitJobsRequest, {
        jobIds: [randomUUID()],
        timeout: delay,
      }),
    ).rejects.toThrow('timeout must be')
  }
  await expect(begin({ retryPolicy: { backoffMultiplier: Number.NaN } })).rejects.toThrow(
    'retry_policy.backoff_multiplier must be',
  )
})

test('following jobs tells all that happens to them, and ends with the last of them', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const first = await it.jobs.start({ method: 'test.job' })
  const second = await it.jobs.start({ method: 'test.job' })
  const missing = randomUUID()
  const targets = [first.jobId, second.jobId, missing].map((jobId) => ({ jobId }))
  const call = it.jobs.raw.followJobs(complete(proto.FollowJobsRequest, { targets }))
  const events: proto.JobEvent[] = []
  const ended = new Promise<void>((resolve, reject) => {
    call.on('data', (answer: proto.FollowJobsResponse) => events.push(...answer.events))
    call.on('end', resolve)
    call.on('error', reject)
  })
  await until(() => events.length >= 3)
  executor.succeed(...(await executor.assigned(2)))
  await ended
  const of = (id: string) =>
    events.filter(({ jobId }) => jobId === id).map(({ event }) => event?.$case)
  expect(of(first.jobId).at(-1)).toBe('completion')
  expect(of(second.jobId).at(-1)).toBe('completion')
  expect(of(missing)).toEqual(['state'])
  const none = it.jobs.raw.followJobs(complete(proto.FollowJobsRequest, {}))
  const refused = new Promise((_, reject) => none.on('error', reject).on('data', () => {}))
  await expect(refused).rejects.toThrow('targets must be 1 to 1000')
})

test('a jitter of 0 is none, and one that is not given is the default', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  const jitterOf = async (retryPolicy: Draft<proto.RetryPolicy>) => {
    const { jobId } = await it.jobs.start({ method: 'test.job', retryPolicy })
    return (await it.jobs.get(jobId)).retryPolicy?.jitter
  }
  expect(await jitterOf({ maxAttempts: 2, jitter: 0 })).toBe(0)
  expect(await jitterOf({ maxAttempts: 2 })).toBe(0.2)
})

test('what a definition says of retries and deadlines holds where a start says nothing, each deadline for itself', async () => {
  await using it = await start()
  const retryPolicy = {
    maxAttempts: 4,
    initialBackoff: millis(10),
    maxBackoff: millis(40),
    jitter: 0,
  }
  const deadlines = { total: millis(60_000), heartbeat: millis(5_000), attempt: millis(9_000) }
  await using _executor = await attachExecutor(it.address, {
    definitions: [{ name: 'test.job', retryPolicy, deadlines }],
  })
  const inForce = async (spec: Draft<proto.JobSpec>) => {
    const { jobId } = await it.jobs.start({ method: 'test.job', ...spec })
    return await it.jobs.get(jobId)
  }
  expect(await inForce({})).toMatchObject({ retryPolicy, deadlines })
  const own = { maxAttempts: 2, jitter: 0.5 }
  expect(await inForce({ retryPolicy: own, deadlines: { total: millis(7_000) } })).toMatchObject({
    retryPolicy: { ...own, initialBackoff: millis(1_000) },
    deadlines: { ...deadlines, total: millis(7_000) },
  })
  using namespaces = connectNamespaces(it.address)
  const { raw } = namespaces
  const { methods } = await ask(raw, raw.listMethods, proto.ListMethodsRequest, {})
  expect(methods).toMatchObject([{ name: 'test.job', retryPolicy, deadlines }])
})
