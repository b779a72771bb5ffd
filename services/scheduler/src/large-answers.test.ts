import type { Client } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { complete, type Draft } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { watchToEnd } from './testing/watch.ts'

// The raw client takes messages of 4 MiB, as gRPC has it where nobody says otherwise.

const inline = { $case: 'inline' as const, value: Buffer.from(JSON.stringify('x'.repeat(64_000))) }
const pages = (count: number) =>
  Array.from({ length: count }, () => ({ method: 'test.job', params: { source: inline } }))

/** Calls a method of the raw client with a partial request. */
function call<Req, Res>(
  client: Client,
  method: (request: Req, done: (error: Error | null, response: Res) => void) => unknown,
  request: Req,
): Promise<Res> {
  return new Promise((resolve, reject) => {
    method.call(client, request, (error, response) => (error ? reject(error) : resolve(response)))
  })
}

test('results an answer has no room for are left out visibly, and there when asked for again', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 500, auto: true })
  const ids: string[] = []
  for (let batch = 0; batch < 3; batch += 1) {
    const outcomes = await it.jobs.startMany(pages(60), 20_000)
    const started = outcomes.flatMap(({ outcome }) =>
      outcome?.$case === 'started' ? [outcome.value] : [],
    )
    expect(started.map(({ state }) => state)).toEqual(
      started.map(() => proto.JobState.JOB_STATE_SUCCEEDED),
    )
    const withEnd = started.filter(({ completion }) => completion !== undefined).length
    expect(withEnd).toBeGreaterThan(20)
    expect(withEnd).toBeLessThan(60)
    ids.push(...started.map(({ jobId }) => jobId))
  }
  const left = new Set(ids)
  for (let calls = 0; left.size > 0; calls += 1) {
    expect(calls).toBeLessThan(10)
    const { statuses, satisfied } = await it.jobs.wait([...left])
    expect(satisfied).toBe(true)
    for (const { jobId, completion } of statuses) if (completion !== undefined) left.delete(jobId)
  }
})

test('a watch of many large results sends many messages, each job once', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 500, auto: true })
  const ids: string[] = []
  for (let batch = 0; batch < 6; batch += 1) {
    const outcomes = await it.jobs.startMany(pages(60), 20_000)
    for (const { outcome } of outcomes) {
      if (outcome?.$case === 'started') ids.push(outcome.value.jobId)
    }
  }
  const watch = await watchToEnd(it.jobs.raw, ids)
  expect(watch.error).toBeUndefined()
  expect(watch.events.map(({ jobId }) => jobId).sort()).toEqual([...ids].sort())
  expect(Math.max(...watch.sizes)).toBeLessThan(20)
})

test('a watch passes on more messages than one read takes, in order and before the end', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  const { jobId: other } = await it.jobs.start({ method: 'test.job' })
  const assignments = await executor.assigned(2)
  const messages = Array.from({ length: 2_500 }, (_, n) => ({
    jobId,
    attempt: 1,
    number: n + 1,
    text: '€'.repeat(2_000),
  }))
  for (let from = 0; from < messages.length; from += 500) {
    executor.say({ messages: messages.slice(from, from + 500) })
  }
  executor.say({ messages: [{ jobId: other, attempt: 1, number: 1, text: 'one' }] })
  executor.succeed(...assignments)
  await it.jobs.wait([jobId, other])
  const watch = await watchToEnd(it.jobs.raw, [jobId, other])
  expect(watch.error).toBeUndefined()
  const told = (id: string) =>
    watch.events
      .filter((event) => event.jobId === id)
      .map(({ event }) => (event?.$case === 'message' ? event.value.sequence : event?.$case))
  expect(told(jobId)).toEqual([...Array.from({ length: 2_500 }, (_, n) => n + 1), 'completion'])
  expect(told(other)).toEqual([1, 'completion'])
})

test('pages of large jobs and of large messages are shorter, and fit together', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const labels = Object.fromEntries(
    Array.from({ length: 32 }, (_, n) => [`label${n}`, '€'.repeat(255)]),
  )
  const { jobId } = await it.jobs.start({ method: 'test.job', labels })
  const spec = { method: 'test.job', labels }
  for (let batch = 0; batch < 4; batch += 1) {
    await it.jobs.startMany(Array.from({ length: 75 }, () => spec))
  }
  const listed: string[] = []
  for (let pageToken = '', first = true; first || pageToken !== ''; first = false) {
    const draft: Draft<proto.ListJobsRequest> = { pageSize: 1_000, pageToken }
    const request = complete<proto.ListJobsRequest>(proto.ListJobsRequest, draft)
    const page = await call<proto.ListJobsRequest, proto.ListJobsResponse>(
      it.jobs.raw,
      it.jobs.raw.listJobs,
      request,
    )
    listed.push(...page.jobs.map((job) => job.jobId))
    pageToken = page.nextPageToken
  }
  expect(new Set(listed).size).toBe(301)
  expect(listed).toHaveLength(301)

  const extra = { numbers: Array.from({ length: 8_000 }, () => 1) }
  for (let from = 0; from < 200; from += 20) {
    const numbers = Array.from({ length: 20 }, (_, n) => from + n + 1)
    executor.say({
      messages: numbers.map((number) => ({ jobId, attempt: 1, number, text: 'x', extra })),
    })
  }
  await until(async () => {
    const sequences: number[] = []
    for (let pageToken = '', more = true; more; more = pageToken !== '') {
      const draft = { jobId, pageSize: 1_000, pageToken }
      const page = await call<proto.ListJobMessagesRequest, proto.ListJobMessagesResponse>(
        it.jobs.raw,
        it.jobs.raw.listJobMessages,
        complete<proto.ListJobMessagesRequest>(proto.ListJobMessagesRequest, draft),
      )
      sequences.push(...page.messages.map(({ sequence }) => sequence))
      pageToken = page.nextPageToken
    }
    expect(sequences).toEqual(sequences.map((_, n) => n + 1))
    return sequences.length === 200
  })
})
