/** Whatever operators and administrators do on what is not theirs is on record (row P7), and what they do on their own is not. */
import { Metadata } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { createActStore } from './store/acts.ts'
import { ask } from './testing/ask.ts'
import { complete, type Draft } from './testing/draft.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const job = { method: 'test.job' }
const OLGA = 'olga:operator'
const ROOT = 'root:admin'
type It = Awaited<ReturnType<typeof start>>

async function actsOf(
  it: It,
  request: Draft<proto.ListActsRequest> = {},
): Promise<proto.ListActsResponse> {
  using namespaces = connectNamespaces(it.address, ROOT)
  const { raw } = namespaces
  return await ask(raw, raw.listActs, proto.ListActsRequest, request, ROOT)
}

const callsOf = async (it: It, request?: Draft<proto.ListActsRequest>) =>
  (await actsOf(it, request)).acts.map(({ call }) => call)

/** A job of ann that has ended with a message. */
async function endedJob(it: It): Promise<string> {
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.as('ann').start(job)
  await executor.assigned(1)
  executor.say({ messages: [{ jobId, attempt: 1, number: 1, text: 'a' }] })
  await expect
    .poll(async () => (await messagesOf(it, jobId, 'ann')).messages.length)
    .toBeGreaterThan(0)
  executor.succeed(...executor.assignments)
  await it.as('ann').wait([jobId])
  return jobId
}

function messagesOf({ jobs: { raw } }: It, jobId: string, user: string) {
  return ask(raw, raw.listJobMessages, proto.ListJobMessagesRequest, { jobId }, user)
}

test('an operator’s cancel of a job of somebody else, and of what hangs on it, is recorded; an owner’s is not', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const ann = it.as('ann')
  const own = await ann.start(job)
  await ann.cancel(own.jobId)
  expect(await callsOf(it)).toEqual([])
  const parent = await ann.start(job)
  const child = await ann.start({ ...job, parentJobId: parent.jobId })
  await it.as(OLGA).cancel(parent.jobId, { cascade: true })
  await it.as(OLGA).cancel(parent.jobId)
  const by = { user: 'olga', roles: ['operator'], call: 'JobService.CancelJob', owners: ['ann'] }
  expect((await actsOf(it)).acts).toMatchObject([
    { ...by, targets: [parent.jobId], outcome: 'UNCHANGED' },
    {
      ...by,
      targets: [parent.jobId, child.jobId],
      outcome: 'OK',
      namespace: 'default',
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      actTime: expect.any(Date),
    },
  ])
  // What did not happen is no act.
  await expect(it.as('bob').cancel(parent.jobId)).rejects.toThrow('there is no job')
  expect(await callsOf(it)).toHaveLength(2)
})

test('a cancel that finds its job ended and cancels what is below it is recorded as one that did something', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 1 })
  const parent = await it.as('ann').start(job)
  await executor.assigned(1)
  const child = await it.as('ann').start({ ...job, parentJobId: parent.jobId })
  executor.succeed(...executor.assignments)
  await it.as('ann').wait([parent.jobId])
  await it.as(OLGA).cancel(parent.jobId, { cascade: true })
  await it.as(OLGA).cancel(parent.jobId, { cascade: true })
  const targets = [parent.jobId, child.jobId]
  expect((await actsOf(it)).acts).toMatchObject([
    { targets: [parent.jobId], outcome: 'UNCHANGED' },
    { targets, outcome: 'OK' },
  ])
})

test('an administrator who watches what a job of somebody else says of its progress is recorded before it is told', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const [silent, telling] = [await it.as('ann').start(job), await it.as('ann').start(job)]
  await executor.assigned(2)
  const say = ({ jobId }: { jobId: string }, text: string) =>
    executor.say({ progress: [{ jobId, attempt: 1, progress: { percent: 50, text } }] })
  say(silent, '')
  say(telling, 'secret')
  const told = ({ jobId }: { jobId: string }, user: string) => progressTold(it, jobId, user)
  expect(await told(silent, ROOT)).toMatchObject({ percent: 50, text: '' })
  expect(await told(telling, OLGA)).toMatchObject({ percent: 50, text: '' })
  expect(await told(telling, 'ann')).toMatchObject({ text: 'secret' })
  expect(await callsOf(it)).toEqual([])
  expect(await told(telling, ROOT)).toMatchObject({ text: 'secret' })
  expect((await actsOf(it)).acts).toMatchObject([
    { call: 'JobService.FollowJobs', user: 'root', targets: [telling.jobId], owners: ['ann'] },
  ])
  await it.database.query({ name: '', text: 'ALTER TABLE offstage.acts RENAME TO away' })
  await expect(told(telling, ROOT)).rejects.toThrow()
})

/** The first that a stream tells of it. */
async function progressTold({ jobs: { raw } }: It, jobId: string, user: string) {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  const targets = [{ jobId }]
  const request = complete<proto.FollowJobsRequest>(proto.FollowJobsRequest, { targets })
  const call = raw.followJobs(request, metadata)
  try {
    for await (const { events } of call) {
      for (const { event } of events) if (event?.$case === 'progress') return event.value
    }
    return undefined
  } finally {
    call.cancel()
  }
}

test('a cancel that cannot be recorded does not happen', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.as('ann').start(job)
  await it.database.query({ name: '', text: 'ALTER TABLE offstage.acts RENAME TO away' })
  await expect(it.as(OLGA).cancel(jobId)).rejects.toThrow()
  expect(await it.as('ann').get(jobId)).toMatchObject({ state: 2, cancelRequested: false })
})

test('what an operator does with a schedule of somebody else is recorded, a backfill with its jobs', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  using schedules = connectSchedules(it)
  const scheduleId = 'nightly'
  const timing = { $case: 'cron', value: '0 0 * * *' } as const
  await schedules.create({ scheduleId, timing, job }, { user: 'ann' })
  const day = (n: number) => new Date(Date.UTC(2026, 2, n))
  const span = { scheduleId, beginTime: day(1), endTime: day(3) }
  const act = async (user: string) => {
    await schedules.update({ scheduleId, timeZone: 'Asia/Tokyo' }, ['time_zone'], user)
    await schedules.pause({ scheduleId }, user)
    await schedules.resume({ scheduleId }, user)
    await schedules.trigger({ scheduleId }, user)
    await schedules.backfill(span, user)
  }
  await act('ann')
  expect(await callsOf(it)).toEqual([])
  await act(OLGA)
  await schedules.backfill({ ...span, endTime: day(4) }, OLGA)
  await schedules.remove({ scheduleId }, ROOT)
  const { acts } = await actsOf(it)
  const rpc = (call: string) => ({ call: `ScheduleService.${call}`, targets: [scheduleId] })
  expect(acts.reverse()).toMatchObject([
    { ...rpc('UpdateSchedule'), user: 'olga', owners: ['ann'], outcome: 'OK' },
    rpc('PauseSchedule'),
    rpc('ResumeSchedule'),
    rpc('TriggerSchedule'),
    { ...rpc('BackfillSchedule'), user: 'olga', owners: ['ann'], outcome: 'UNCHANGED' },
    { ...rpc('BackfillSchedule'), outcome: 'OK' },
    { ...rpc('DeleteSchedule'), user: 'root' },
  ])
})

test('an administrator who reads what a schedule of somebody else gives its jobs is recorded before it is told', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  using schedules = connectSchedules(it)
  const scheduleId = 'nightly'
  const timing = { $case: 'cron', value: '0 0 * * *' } as const
  await schedules.create({ scheduleId, timing, job }, { user: 'ann' })
  await schedules.pause({ scheduleId }, 'ann')
  for (const user of ['ann', OLGA, 'rita:reader']) {
    await schedules.get({ scheduleId }, user)
    await schedules.list({}, user)
  }
  await schedules.pause({ scheduleId }, OLGA)
  expect(await callsOf(it)).toEqual([])
  await schedules.get({ scheduleId }, ROOT)
  await schedules.list({}, ROOT)
  await schedules.pause({ scheduleId }, ROOT)
  const { acts } = await actsOf(it)
  expect(acts.map(({ call }) => call).reverse()).toEqual([
    'ScheduleService.GetSchedule',
    'ScheduleService.ListSchedules',
    'ScheduleService.PauseSchedule',
  ])
  for (const act of acts) expect(act).toMatchObject({ targets: [scheduleId], owners: ['ann'] })
  await it.database.query({ name: '', text: 'ALTER TABLE offstage.acts RENAME TO away' })
  await expect(schedules.get({ scheduleId }, ROOT)).rejects.toThrow()
  await expect(schedules.list({}, ROOT)).rejects.toThrow()
  await schedules.get({ scheduleId }, OLGA)
})

test('a backfill that cannot be recorded creates nothing', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  using schedules = connectSchedules(it)
  const scheduleId = 'nightly'
  const timing = { $case: 'cron', value: '0 0 * * *' } as const
  await schedules.create({ scheduleId, timing, job }, { user: 'ann' })
  const span = { scheduleId, beginTime: new Date('2026-03-01'), endTime: new Date('2026-03-03') }
  await it.database.query({ name: '', text: 'ALTER TABLE offstage.acts RENAME TO away' })
  await expect(schedules.backfill(span, OLGA)).rejects.toThrow()
  expect(await schedules.jobs(scheduleId)).toEqual([])
  await schedules.backfill(span, 'ann')
  expect(await schedules.jobs(scheduleId)).toHaveLength(2)
})

test('pauses and resumes are recorded, also those that change nothing', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  using namespaces = connectNamespaces(it.address, OLGA)
  await namespaces.pauseMethod('test.job')
  await namespaces.pauseMethod('test.job')
  await namespaces.resumeMethod('test.job')
  await namespaces.pausePool('gpu')
  await namespaces.resumePool('tpu')
  await namespaces.pauseNamespace()
  await namespaces.resumeNamespace()
  await expect(namespaces.pauseMethod('test.jbo')).rejects.toThrow()
  const { acts } = await actsOf(it)
  expect(acts.reverse()).toMatchObject([
    { call: 'NamespaceService.PauseMethod', targets: ['test.job'], outcome: 'OK' },
    { call: 'NamespaceService.PauseMethod', targets: ['test.job'], outcome: 'UNCHANGED' },
    { call: 'NamespaceService.ResumeMethod', targets: ['test.job'], owners: [] },
    { call: 'NamespaceService.PausePool', targets: ['gpu'], outcome: 'OK' },
    { call: 'NamespaceService.ResumePool', targets: ['tpu'], outcome: 'UNCHANGED' },
    { call: 'NamespaceService.PauseNamespace', targets: ['default'], user: 'olga' },
    { call: 'NamespaceService.ResumeNamespace', targets: ['default'], outcome: 'OK' },
  ])
})

test('an administrator who reads what is in a job of somebody else is recorded before it is told', async () => {
  await using it = await start()
  const jobId = await endedJob(it)
  const root = it.as(ROOT)
  const { raw } = root
  const metadata = new Metadata()
  metadata.set('offstage-user', ROOT)
  const targets = [{ jobId }]
  const { JOB_VIEW_FULL: full, JOB_VIEW_BASIC: basic } = proto.JobView
  const list = (view: proto.JobView, user = ROOT) =>
    ask(raw, raw.listJobs, proto.ListJobsRequest, { view }, user)
  const follow = async () => {
    const request = complete<proto.FollowJobsRequest>(proto.FollowJobsRequest, { targets })
    for await (const _ of raw.followJobs(request, metadata));
  }
  await ask(raw, raw.getJob, proto.GetJobRequest, { jobId, view: basic }, ROOT)
  await list(basic)
  await root.explain(jobId)
  expect(await callsOf(it)).toEqual([])
  await root.get(jobId)
  await list(full)
  await root.wait([jobId])
  await messagesOf(it, jobId, ROOT)
  await follow()
  const { acts } = await actsOf(it)
  expect(acts.map(({ call }) => call).reverse()).toEqual([
    'JobService.GetJob',
    'JobService.ListJobs',
    'JobService.WaitJobs',
    'JobService.ListJobMessages',
    'JobService.FollowJobs',
  ])
  for (const act of acts) {
    expect(act).toMatchObject({ user: 'root', roles: ['admin'], targets: [jobId], owners: ['ann'] })
  }
  // Operators see no payload, owners their own.
  await it.as(OLGA).get(jobId)
  await it.as('ann').get(jobId)
  await list(full, 'ann')
  expect(await callsOf(it)).toHaveLength(5)
  await it.database.query({ name: '', text: 'ALTER TABLE offstage.acts RENAME TO away' })
  for (const read of [() => root.get(jobId), () => list(full), follow]) {
    await expect(read()).rejects.toThrow()
  }
  await expect(it.as('ann').get(jobId)).resolves.toBeDefined()
})

test('who drained an executor is recorded as the executor tells it; one that drains by itself is no act', async () => {
  await using it = await start()
  await using byHand = await attachExecutor(it.address)
  await using itself = await attachExecutor(it.address)
  itself.say({ draining: true })
  const drainedBy = { user: 'olga', roles: ['operator', 'emperor'], peer: '10.0.0.7:4711' }
  byHand.say({ draining: true, drainedBy })
  await expect.poll(() => callsOf(it)).toEqual(['ExecutorControlService.Drain'])
  const { acts } = await actsOf(it)
  expect(acts).toMatchObject([
    { ...drainedBy, roles: ['operator'], targets: [byHand.sessionId], namespace: 'default' },
  ])
})

test('acts are listed by user and time, page by page, by administrators of the namespace alone', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address)
  for (const user of [OLGA, 'oscar:operator', OLGA]) {
    using namespaces = connectNamespaces(it.address, user)
    await namespaces.pauseNamespace()
  }
  const { acts } = await actsOf(it)
  expect(acts.map(({ user }) => user)).toEqual(['olga', 'oscar', 'olga'])
  expect((await actsOf(it, { user: 'oscar' })).acts).toEqual(acts.slice(1, 2))
  const [newest, second] = acts.map(({ actTime }) => actTime)
  expect((await actsOf(it, { timeFrom: newest })).acts[0]).toEqual(acts[0])
  expect((await actsOf(it, { timeBefore: second })).acts).toEqual(acts.slice(2))
  const first = await actsOf(it, { pageSize: 2 })
  expect(first.acts).toEqual(acts.slice(0, 2))
  const rest = await actsOf(it, { pageSize: 2, pageToken: first.nextPageToken })
  expect(rest).toMatchObject({ acts: acts.slice(2), nextPageToken: '' })
  const other = actsOf(it, { user: 'olga', pageToken: first.nextPageToken })
  await expect(other).rejects.toThrow('page_token')
  expect((await actsOf(it, { namespace: 'elsewhere' })).acts).toEqual([])
  using namespaces = connectNamespaces(it.address)
  const { raw } = namespaces
  for (const user of ['ann', OLGA, 'rita:reader']) {
    const refused = ask(raw, raw.listActs, proto.ListActsRequest, {}, user)
    await expect(refused).rejects.toThrow('needs one of the roles admin')
  }
})

test('acts that are older than they are kept are removed, no more at once than asked for', async () => {
  await using it = await start()
  const store = createActStore(it.database)
  const by = { user: 'olga', roles: ['operator'], peer: '', call: 'a.B' }
  for (const target of ['a', 'b', 'c']) {
    await store.record({ by, namespace: 'default', targets: [target], owners: [], outcome: 'OK' })
  }
  const age = `UPDATE offstage.acts SET act_time = now() - interval '91 days' WHERE targets <> '{c}'`
  await it.database.query({ name: '', text: age })
  const days = 24 * 3_600_000
  expect(await store.forget(90 * days, 1)).toBe(1)
  expect(await store.forget(90 * days, 10)).toBe(1)
  expect(await store.forget(90 * days, 10)).toBe(0)
  expect((await actsOf(it)).acts).toMatchObject([{ targets: ['c'] }])
})
