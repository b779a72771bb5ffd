/** Schedules as objects: created, changed, looked at and carried out (rows K1 to K3). */
import { status } from '@grpc/grpc-js'
import { durationFrom } from '@offstage/proto/durations'
import { OverlapPolicy, type Schedule } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Draft } from './testing/draft.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { type Bundle, setup } from './testing/setup.ts'

let it: Bundle
let schedules: ReturnType<typeof connectSchedules>
const stack = new AsyncDisposableStack()

const restricted = {
  name: 'test.restricted',
  startableBy: { roles: ['operator'], users: [] },
}
const checked = {
  name: 'test.checked',
  paramsSchema: JSON.stringify({ type: 'object', required: ['n'] }),
}

beforeAll(async () => {
  it = stack.use(await setup({ config: { dueSweepMs: 20 } }))
  schedules = stack.use(connectSchedules(it))
  const definitions = [{ name: 'test.job' }, restricted, checked]
  stack.use(await attachExecutor(it.scheduler.address, { definitions, slots: 100 }))
})
afterAll(() => stack.disposeAsync())

let count = 0
/** A schedule that is due at midnight, under an id of its own. */
function nightly(given: Draft<Schedule> = {}): Draft<Schedule> & { scheduleId: string } {
  const timing = { $case: 'cron', value: '0 0 * * *' } as const
  return {
    scheduleId: `nightly-${++count}`,
    job: { method: 'test.job' },
    timing,
    ...given,
  } as never
}

const refused = (answer: Promise<unknown>) =>
  answer.then(
    () => expect.unreachable('it was not refused'),
    ({ code, details }: { code: number; details: string }) => ({ code: status[code], details }),
  )

async function jobsOf(scheduleId: string, wanted: number) {
  await until(async () => (await schedules.jobs(scheduleId)).length >= wanted, {
    what: `${wanted} jobs of ${scheduleId}`,
  })
  return schedules.jobs(scheduleId)
}

/** When it has gone on to its next due time. */
async function carriedOut(scheduleId: string) {
  await until(async () => {
    const { nextRunTime, paused } = await schedules.get({ scheduleId })
    return paused || (nextRunTime?.getTime() ?? 0) > Date.now()
  })
}

async function endAs(state: 5 | 6, scheduleId: string) {
  const text = `UPDATE offstage.jobs SET state = $2::smallint, finish_time = now(), attachment_id = NULL,
    error = CASE WHEN $2::smallint = 6 THEN '{"v":1,"brief":"no","detail":"","reason":"Boom","retryable":false}'::jsonb END
    WHERE state < 5 AND labels->>'offstage.schedule' = $1`
  await it.database.query({ name: '', text }, [scheduleId, state])
}

test('a schedule is created once by its request id, and its id is taken from then on', async () => {
  const asked = nightly({ timeZone: 'Europe/Berlin', crons: ['0 12 * * 1'] })
  const created = await schedules.create(asked, { requestId: 'r-1' })
  expect(created).toMatchObject({
    ...{ scheduleId: asked.scheduleId, owner: 'dev', creator: 'dev', paused: false, etag: '1' },
    ...{ timeZone: 'Europe/Berlin', crons: ['0 12 * * 1'], catchUpLimit: 100 },
    overlapPolicy: OverlapPolicy.OVERLAP_POLICY_SKIP,
    catchUpWindow: durationFrom(60_000),
  })
  expect(created.nextRunTime?.getTime()).toBeGreaterThan(Date.now())
  expect(await schedules.create(asked, { requestId: 'r-1' })).toEqual(created)
  expect(await refused(schedules.create(asked))).toMatchObject({ code: 'ALREADY_EXISTS' })
  const other = { ...asked, scheduleId: 'another' }
  expect(await refused(schedules.create(other, { requestId: 'r-1' }))).toMatchObject({
    details: expect.stringContaining('r-1'),
  })
})

test.each<[string, Draft<Schedule>, string]>([
  [
    'a cron that never fires',
    { timing: { $case: 'cron', value: '0 0 30 2 *' } },
    'schedule.cron never',
  ],
  [
    'an end before the begin',
    { beginTime: new Date(9e11), endTime: new Date(8e11) },
    'schedule.end_time',
  ],
  ['an unknown zone', { timeZone: 'Mars/Olympus' }, 'schedule.time_zone'],
  [
    'an interval below a second',
    { timing: { $case: 'interval', value: durationFrom(999) } },
    'schedule.interval must be at least 1 s',
  ],
  ['a policy nobody knows', { overlapPolicy: 77 as never }, 'schedule.overlap_policy'],
  ['an unknown method', { job: { method: 'no.such' } }, 'no executor has announced'],
  ['parameters that do not fit', { job: { method: 'test.checked' } }, 'do not fit'],
  ['a delay', { job: { method: 'test.job', delay: durationFrom(1) } }, 'schedule.job.delay'],
  [
    'a priority out of bounds',
    { job: { method: 'test.job', priority: 9_999 } },
    'schedule.job.priority',
  ],
  ['a catch-up of too many', { catchUpLimit: 1_001 }, 'schedule.catch_up_limit'],
])('%s is refused, and the refusal says what is wrong', async (_what, given, said) => {
  const { details } = await refused(schedules.create(nightly(given)))
  expect(details).toContain(said)
})

test('an update changes what its mask names, and nothing where somebody was faster', async () => {
  const { scheduleId } = await schedules.create(
    nightly({ job: { method: 'test.job', priority: 5 } }),
  )
  const first = await schedules.update({ scheduleId, timeZone: 'Asia/Tokyo', etag: '1' }, [
    'time_zone',
  ])
  expect(first).toMatchObject({ timeZone: 'Asia/Tokyo', etag: '2', job: { priority: 5 } })
  expect(first.nextRunTime?.getUTCHours()).toBe(15)
  const late = schedules.update({ scheduleId, timeZone: 'UTC', etag: '1' }, ['time_zone'])
  expect(await refused(late)).toMatchObject({ code: 'ABORTED' })
  const hourly = {
    scheduleId,
    timing: { $case: 'interval', value: durationFrom(3_600_000) },
  } as const
  expect((await schedules.update(hourly, ['interval'])).timing).toEqual(hourly.timing)
  expect(await refused(schedules.update({ scheduleId }, ['owner']))).toMatchObject({
    details: expect.stringContaining('update_mask'),
  })
})

test('listings go on page by page, and a removed schedule is gone', async () => {
  const asked = [nightly(), nightly(), nightly()].map((each) => ({ ...each, runAs: 'lister' }))
  for (const each of asked) await schedules.create(each)
  const seen: string[] = []
  for (let pageToken = ''; ; ) {
    const page = await schedules.list({ pageSize: 2, pageToken }, 'lister:user')
    seen.push(...page.schedules.map(({ scheduleId }) => scheduleId))
    pageToken = page.nextPageToken
    if (pageToken === '') break
  }
  expect(seen).toEqual(asked.map(({ scheduleId }) => scheduleId).sort())
  const [first] = asked
  await schedules.remove({ scheduleId: first?.scheduleId ?? '' })
  const gone = refused(schedules.get({ scheduleId: first?.scheduleId ?? '' }))
  expect(await gone).toMatchObject({ code: 'NOT_FOUND' })
})

test('a due time creates one job for the owner, with what it says of the due time in labels and parameters', async () => {
  const params = {
    source: { $case: 'inline', value: Buffer.from('{"day":"{{offstage.due_time}}"}') },
  }
  const job = {
    method: 'test.job',
    params,
    key: 'report {{offstage.due_time}}',
    labels: { tenant: 'a' },
  }
  const { scheduleId } = await schedules.create(nightly({ job: job as never, runAs: 'ann' }))
  await schedules.makeDue(scheduleId)
  const [created, ...others] = await jobsOf(scheduleId, 1)
  const time = created?.labels['offstage.due_time'] ?? ''
  expect(created).toMatchObject({
    owner: 'ann',
    key: `report ${time}`,
    params: `{"day":"${time}"}`,
  })
  expect(created?.labels).toEqual({
    tenant: 'a',
    'offstage.schedule': scheduleId,
    'offstage.due_time': time,
  })
  expect(others).toEqual([])
  await carriedOut(scheduleId)
  const { lastJobId, lastDueTime } = await schedules.get({ scheduleId })
  expect([lastJobId, lastDueTime?.toISOString()]).toEqual([created?.id, time])
  const listed = await it.jobs.list({
    text: `label.offstage.schedule:${scheduleId} kind:scheduled`,
  })
  expect(listed.jobs.map(({ jobId }) => jobId)).toEqual([created?.id])
})

test('the same due time never has a second job, though it comes again', async () => {
  const { scheduleId } = await schedules.create(
    nightly({ overlapPolicy: OverlapPolicy.OVERLAP_POLICY_ALLOW }),
  )
  await schedules.makeDue(scheduleId)
  const [{ labels } = { labels: {} }] = await jobsOf(scheduleId, 1)
  const text =
    'UPDATE offstage.schedules SET due_time = $2::timestamptz, wake_time = $2::timestamptz WHERE id = $1'
  const due = (labels as Record<string, string>)['offstage.due_time']
  await it.database.query({ name: '', text }, [scheduleId, due])
  await carriedOut(scheduleId)
  expect(await schedules.jobs(scheduleId)).toHaveLength(1)
})

test('paused, it creates nothing and says why; resumed, it goes on with what is still to come', async () => {
  const { scheduleId } = await schedules.create(nightly())
  const paused = await schedules.pause({ scheduleId, reason: 'stock-taking' })
  expect(paused).toMatchObject({
    paused: true,
    pauseReason: 'stock-taking',
    nextRunTime: undefined,
  })
  expect(await schedules.pause({ scheduleId, reason: 'again' })).toEqual(paused)
  const resumed = await schedules.resume({ scheduleId })
  expect(resumed).toMatchObject({ paused: false, pauseReason: '' })
  expect(resumed.nextRunTime?.getTime()).toBeGreaterThan(Date.now())
})

test('a trigger creates a job now, and the same request never a second one', async () => {
  const { scheduleId } = await schedules.create(nightly())
  const first = await schedules.trigger({ scheduleId, requestId: 't' })
  expect(await schedules.trigger({ scheduleId, requestId: 't' })).toEqual(first)
  const other = await schedules.trigger({ scheduleId })
  const ids = (await schedules.jobs(scheduleId)).map(({ id }) => id)
  expect(ids.sort()).toEqual([first.jobId, other.jobId].sort())
})

test('a backfill creates the jobs of a past span once, and refuses more than a thousand', async () => {
  const { scheduleId } = await schedules.create(nightly())
  const span = {
    scheduleId,
    beginTime: new Date('2026-03-01T00:00:00Z'),
    endTime: new Date('2026-03-05T00:00:00Z'),
  }
  const first = await schedules.backfill(span)
  expect([first.jobIds.length, first.existingCount]).toEqual([4, 0])
  const more = await schedules.backfill({ ...span, endTime: new Date('2026-03-06T00:00:00Z') })
  expect([more.jobIds.length, more.existingCount]).toEqual([1, 4])
  const due = (await schedules.jobs(scheduleId)).map(({ labels }) => labels['offstage.due_time'])
  expect(due).toEqual([1, 2, 3, 4, 5].map((day) => `2026-03-0${day}T00:00:00.000Z`))
  const tooMany = refused(schedules.backfill({ ...span, beginTime: new Date('2020-01-01') }))
  expect((await tooMany).details).toContain('end_time leaves more than 1000 due times')
  const future = refused(schedules.backfill({ ...span, endTime: new Date('2999-01-01') }))
  expect((await future).details).toContain('end_time must not be in the future')
})

test('coming due times are listed page by page', async () => {
  const begin = new Date('2030-01-01T00:00:00Z')
  const { scheduleId } = await schedules.create(nightly({ beginTime: begin }))
  const first = await schedules.nextRuns({ scheduleId, pageSize: 2 })
  const rest = await schedules.nextRuns({ scheduleId, pageSize: 1, pageToken: first.nextPageToken })
  const days = [...first.runTimes, ...rest.runTimes].map((time) => time.toISOString().slice(0, 10))
  expect(days).toEqual(['2030-01-01', '2030-01-02', '2030-01-03'])
})

test('others do not see it, operators look after it without its parameters, services act for others', async () => {
  const params = { source: { $case: 'inline', value: Buffer.from('{"secret":1}') } } as never
  const asked = nightly({ job: { method: 'test.job', params } })
  const { scheduleId } = await schedules.create(asked, { user: 'ann' })
  expect(await refused(schedules.get({ scheduleId }, 'bob'))).toMatchObject({ code: 'NOT_FOUND' })
  expect(await refused(schedules.pause({ scheduleId }, 'bob'))).toMatchObject({ code: 'NOT_FOUND' })
  const seen = await schedules.get({ scheduleId }, 'olga:operator')
  expect([seen.payloadHidden, seen.job?.params]).toEqual([true, undefined])
  expect(await schedules.pause({ scheduleId }, 'olga:operator')).toMatchObject({ paused: true })
  const times = { scheduleId, timeZone: 'Asia/Tokyo' }
  expect(await schedules.update(times, ['time_zone'], 'olga:operator')).toMatchObject(times)
  const job = schedules.update(
    { scheduleId, job: { method: 'test.job' } },
    ['job'],
    'olga:operator',
  )
  expect(await refused(job)).toMatchObject({ code: 'NOT_FOUND' })
  expect((await schedules.get({ scheduleId }, 'ann')).job?.params).toBeDefined()
  const forAnn = await schedules.create(nightly({ runAs: 'ann' }), { user: 'svc:service' })
  expect(forAnn).toMatchObject({ owner: 'ann', creator: 'svc' })
  const forBob = refused(schedules.create(nightly({ runAs: 'bob' }), { user: 'ann' }))
  expect((await forBob).details).toContain('schedule.run_as')
  const { rows } = await it.database.query({
    name: '',
    text: `SELECT call FROM offstage.acts WHERE targets = ARRAY['${scheduleId}'] ORDER BY id`,
  })
  expect(rows).toEqual([
    { call: 'ScheduleService.PauseSchedule' },
    { call: 'ScheduleService.UpdateSchedule' },
  ])
})

test('its jobs are started with the rights its owner had, and what may not be started is recorded as failed', async () => {
  const job = { method: 'test.restricted' }
  expect(await refused(schedules.create(nightly({ job }), { user: 'ann' }))).toMatchObject({
    code: 'PERMISSION_DENIED',
  })
  const { scheduleId } = await schedules.create(nightly({ job }), { user: 'olga:operator' })
  await it.database.query({
    name: '',
    text: `UPDATE offstage.schedules SET roles = '{user}' WHERE id = '${scheduleId}'`,
  })
  await schedules.makeDue(scheduleId)
  expect(await jobsOf(scheduleId, 1)).toMatchObject([{ state: 6, reason: 'METHOD_NOT_STARTABLE' }])
})

const { OVERLAP_POLICY_SKIP: SKIP, OVERLAP_POLICY_QUEUE_ONE: QUEUE_ONE } = OverlapPolicy
const { OVERLAP_POLICY_ALLOW: ALLOW, OVERLAP_POLICY_CANCEL_RUNNING: CANCEL } = OverlapPolicy
const { OVERLAP_POLICY_QUEUE_ALL: QUEUE_ALL } = OverlapPolicy
test.each<[string, OverlapPolicy, string[]]>([
  ['skip', SKIP, ['runs']],
  ['queue one', QUEUE_ONE, ['runs', 'waits']],
  ['queue all', QUEUE_ALL, ['runs', 'waits', 'waits']],
  ['allow', ALLOW, ['runs', 'runs', 'runs']],
  ['cancel running', CANCEL, ['canceled', 'ended', 'waits']],
])('while jobs are unfinished the policy decides: %s', async (_name, overlapPolicy, wanted) => {
  const { scheduleId } = await schedules.create(nightly({ overlapPolicy }))
  for (const agoMs of [4_000, 3_000, 2_000]) {
    await schedules.makeDue(scheduleId, agoMs)
    await carriedOut(scheduleId)
  }
  const found = (await schedules.jobs(scheduleId)).map(({ state, waits, canceled }) => {
    if (waits && state === 1) return 'waits'
    if (state >= 5) return 'ended'
    return canceled ? 'canceled' : 'runs'
  })
  expect(found).toEqual(wanted)
  await endAs(5, scheduleId)
})

test('missed due times are made up for within the window, the newest of them up to the limit', async () => {
  const everySecond = { $case: 'interval', value: durationFrom(1_000) } as const
  const given = { timing: everySecond, overlapPolicy: ALLOW, catchUpLimit: 3 }
  const { scheduleId } = await schedules.create(nightly(given))
  await schedules.pause({ scheduleId })
  await until(async () => (await schedules.get({ scheduleId })).paused)
  const before = (await schedules.jobs(scheduleId)).length
  const text = `UPDATE offstage.schedules SET pause_reason = NULL, due_time = date_trunc('second', now()) - interval '1 day',
    wake_time = now(), terms = jsonb_set(terms, '{timing,endTime}', to_jsonb(to_char(now() AT TIME ZONE 'UTC' + interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
    WHERE id = $1`
  await it.database.query({ name: '', text }, [scheduleId])
  await until(async () => (await schedules.get({ scheduleId })).nextRunTime === undefined)
  const made = (await schedules.jobs(scheduleId)).slice(before)
  expect(made.length).toBeGreaterThanOrEqual(3)
  expect(made.length).toBeLessThanOrEqual(4)
})

test('a schedule whose jobs keep failing pauses itself, and says so', async () => {
  const { scheduleId } = await schedules.create(nightly({ pauseAfterFailures: 2 }))
  for (let round = 1; round <= 3; round++) {
    await schedules.makeDue(scheduleId, 10_000 - round * 1_000)
    await carriedOut(scheduleId)
    await endAs(6, scheduleId)
  }
  expect(await schedules.jobs(scheduleId)).toHaveLength(2)
  expect(await schedules.get({ scheduleId })).toMatchObject({
    ...{ paused: true, failuresInRow: 2 },
    pauseReason: 'its last 2 jobs failed, the newest with Boom',
  })
  expect(await schedules.resume({ scheduleId })).toMatchObject({ paused: false, failuresInRow: 0 })
})
