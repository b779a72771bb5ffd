/** Rows of releases to come, or written by hand: each is told of as far as it can be read, and is in the way of no other. */
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { describe, expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { openWatch } from './testing/watch.ts'

const { JOB_STATE_CANCELED, JOB_STATE_FAILED, JOB_STATE_SUCCEEDED } = proto.JobState
const FAILED = 'state = 6, finish_time = now()'
const SUCCEEDED = 'state = 5, finish_time = now()'

/** A job whose row has been changed, between two others; none of them runs. */
async function threeJobs(set: string) {
  const it = await start()
  await (await attachExecutor(it.scheduler.address))[Symbol.asyncDispose]()
  const [before, strange, after] = [
    await it.jobs.start({ method: 'test.job' }),
    await it.jobs.start({ method: 'test.job' }),
    await it.jobs.start({ method: 'test.job' }),
  ].map(({ jobId }) => jobId) as [string, string, string]
  const text = `UPDATE offstage.jobs SET ${set} WHERE id = $1::uuid`
  await it.database.query({ name: '', text }, [strange])
  return { ...it, before, strange, after }
}

describe.each([
  ['options', `options = '{"v":9}'`, /job options have version 9/],
  ['options', `options = '[1]'`, /job options have version undefined/],
  ['options', `options = '{"v":1,"scope":7}'`, /the field scope is 7/],
  ['labels', `labels = '{"a":1}'`, /labels are no object of texts/],
  ['labels', `labels = '[1]'`, /labels are no object of texts/],
  ['an error', `error = '{"v":9}'`, /job errors have version 9/],
])('%s that cannot be read (%s)', (_, set, fault) => {
  test('are told of with the job, and the jobs beside it are listed', async () => {
    await using it = await threeJobs(set)
    expect((await it.jobs.get(it.strange)).unreadable).toMatch(fault)
    const { jobs } = await it.jobs.list()
    expect(jobs.map(({ jobId }) => jobId)).toEqual([it.after, it.strange, it.before])
    expect(jobs.map(({ unreadable }) => unreadable !== undefined)).toEqual([false, true, false])
  })
})

describe.each([
  ['an error', `${FAILED}, error = '{"v":9}'`, JOB_STATE_FAILED],
  ['an additional result', `${SUCCEEDED}, additional_result = '{"v":5}'`, JOB_STATE_SUCCEEDED],
])('%s of an ended job that cannot be read', (_, set, state) => {
  test('is told of where its end is asked for, and keeps no end from others', async () => {
    await using it = await threeJobs(set)
    const completion = expect.objectContaining({
      state,
      unreadable: expect.stringMatching(/version/),
    })
    const waiting = it.jobs.wait([it.before, it.strange, it.after])
    using watch = openWatch(it.jobs.raw)
    watch.say({ add: [{ jobId: it.strange }, { jobId: it.before }] })
    watch.halfClose()
    expect(await it.jobs.get(it.strange)).toMatchObject({ completion })
    expect(await it.jobs.cancel(it.strange)).toMatchObject({ state })
    await using _ = await attachExecutor(it.scheduler.address, { auto: true })
    const { statuses, satisfied } = await waiting
    expect(satisfied).toBe(true)
    expect(statuses[1]).toMatchObject({ completion })
    await until(
      () => watch.events.filter(({ event }) => event?.$case === 'completion').length === 2,
    )
  })
})

test('a failed job whose error cannot be read says so in its place', async () => {
  await using it = await threeJobs(`${FAILED}, error = '{"v":9}'`)
  expect((await it.jobs.get(it.strange)).completion?.error).toMatchObject({
    reason: 'JOB_UNREADABLE',
    detail: expect.stringContaining('version 9'),
  })
})

test.each([[`additional_result = '{"v":5}'`], [`options = '{"v":9}'`]])(
  'a job with %s can be canceled',
  async (set) => {
    await using it = await threeJobs(set)
    expect(await it.jobs.cancel(it.strange)).toMatchObject({ state: JOB_STATE_CANCELED })
  },
)

test('a child with options that cannot be read does not save its parent from being canceled', async () => {
  await using it = await start()
  await (await attachExecutor(it.scheduler.address))[Symbol.asyncDispose]()
  const parent = await it.jobs.start({ method: 'test.job' })
  await it.jobs.start({ method: 'test.job', parentJobId: parent.jobId })
  const text = `UPDATE offstage.jobs SET options = '{"v":1,"cancelWithParent":"maybe"}' WHERE parent_id IS NOT NULL`
  await it.database.query({ name: '', text })
  expect(await it.jobs.cancel(parent.jobId)).toMatchObject({ state: JOB_STATE_CANCELED })
})

describe.each([
  ['of another version', `{"v":9}`],
  ['with a lane there is not', `{"v":1,"name":"test.strange","lane":"x"}`],
  ['that is no object', `"x"`],
])('a definition of a method %s', (_, definition) => {
  async function withMethod() {
    const it = await start()
    const text = `INSERT INTO offstage.methods (namespace, name, definition) VALUES ('default', 'test.strange', $1)`
    await it.database.query({ name: '', text }, [definition])
    return it
  }

  test('keeps no other method from being started, even in the same call', async () => {
    await using it = await withMethod()
    await (await attachExecutor(it.address))[Symbol.asyncDispose]()
    const methods = ['test.job', 'test.strange', 'test.absent'].map((method) => ({ method }))
    const [known, strange, absent] = await it.jobs.startMany(methods)
    expect(known?.outcome?.$case).toBe('started')
    const messageOf = (outcome: typeof known) =>
      outcome?.outcome?.$case === 'error' && outcome.outcome.value.message
    expect(messageOf(strange)).toMatch(/"test.strange" cannot be read: stored method definitions/)
    expect(messageOf(absent)).toMatch(/no executor has announced/)
  })

  test('is listed as such among the others, can be paused, and is mended by an executor that attaches', async () => {
    await using it = await withMethod()
    using namespaces = connectNamespaces(it.address)
    await using _ = await attachExecutor(it.address, { methods: ['test.job', 'test.more'] })
    await namespaces.pauseMethod('test.strange')
    const list = async () => (await namespaces.listMethods()).methods
    expect(await list()).toMatchObject([
      { name: 'test.job', unreadable: undefined },
      { name: 'test.more', unreadable: undefined },
      { name: 'test.strange', unreadable: expect.stringMatching(/version|lane/), paused: true },
    ])
    await namespaces.resumeMethod('test.strange')
    await using mending = await attachExecutor(it.address, { methods: ['test.strange'] })
    expect((await list())[2]).toMatchObject({ lane: 1, unreadable: undefined, startable: true })
    await it.jobs.start({ method: 'test.strange' })
    await mending.assigned(1)
  })

  test('is in the way of no listing of executors', async () => {
    await using it = await withMethod()
    await using executor = await attachExecutor(it.address, { methods: ['test.job'] })
    await it.jobs.start({ method: 'test.job' })
    await executor.assigned(1)
    await it.database.query({ name: '', text: `UPDATE offstage.jobs SET method = 'test.strange'` })
    await it.database.query({ name: '', text: `UPDATE offstage.executors SET labels = 'null'` })
    using namespaces = connectNamespaces(it.address)
    expect((await namespaces.listExecutors()).executors).toMatchObject([
      { name: 'scripted', labels: {}, lanes: [{ used: 1 }, { used: 0 }] },
    ])
  })
})
