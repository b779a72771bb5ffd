/**
 * Guarantee 8: how long a refusal takes does not tell a foreign job from a missing one either. What takes time is what the
 * database is asked, what it reads and sends, and what it writes: all of that is the same.
 */
import { randomUUID } from 'node:crypto'
import { Metadata } from '@grpc/grpc-js'
import type { Database } from '@offstage/kit/database'
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { ask } from './testing/ask.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { openWatch } from './testing/watch.ts'

const SWEEP = 'read_news'

/** Statements of callers, each with how many rows it read or wrote; those of the service itself are left out. */
function recording() {
  const seen: string[] = []
  const note = async <T extends { rows: readonly unknown[]; rowCount: number }>(
    { name, text }: { name: string; text: string },
    values: readonly unknown[] | undefined,
    result: Promise<T>,
  ): Promise<T> => {
    const { rows, rowCount } = await result
    if (name !== SWEEP && isOfCaller(values))
      seen.push(`${name || text} ${rows.length} ${rowCount}`)
    return result
  }
  let id = ''
  const isOfCaller = (values: readonly unknown[] = []) =>
    values.flat(2).some((value) => has(value, id))
  const between = (database: Database): Database => ({
    ...database,
    query: (statement, values) => note(statement, values, database.query(statement, values)),
    transaction: (work) =>
      database.transaction((tx) =>
        work({
          query: (statement, values) => note(statement, values, tx.query(statement, values)),
        }),
      ),
  })
  return {
    between,
    /** What the database was asked about this job meanwhile. */
    async of(jobId: string, call: () => Promise<unknown>): Promise<readonly string[]> {
      id = jobId
      seen.length = 0
      await call()
      return [...seen]
    },
  }
}

function has(value: unknown, id: string): boolean {
  return typeof value === 'string' && value.includes(id)
}

type Started = Awaited<ReturnType<typeof start>>

const refused = (call: Promise<unknown>) => call.catch((error: unknown) => error)

async function watched(it: Started, jobId: string): Promise<void> {
  using watch = openWatch(it.jobs.raw, 'bob')
  watch.say({ add: [{ jobId }] })
  watch.halfClose()
  await until(() => watch.ended)
}

function followed(it: Started, jobId: string): Promise<void> {
  const request = proto.FollowJobsRequest.fromPartial({ targets: [{ jobId }] })
  const metadata = new Metadata()
  metadata.set('offstage-user', 'bob')
  const stream = it.jobs.raw.followJobs(request, metadata).on('data', () => {})
  return new Promise((resolve) => stream.on('end', resolve))
}

const job = { method: 'test.job' }

/** Every call that names a job, as somebody who is neither its owner nor an operator. */
const CALLS: Record<string, (it: Started, jobId: string) => Promise<unknown>> = {
  GetJob: (it, jobId) => it.as('bob').get(jobId),
  WaitJobs: (it, jobId) => it.as('bob').wait([jobId]),
  WatchJobs: watched,
  FollowJobs: followed,
  CancelJob: (it, jobId) => it.as('bob').cancel(jobId, { cascade: true }),
  RetryJob: (it, jobId) => it.as('bob').retry(jobId),
  ExplainJob: (it, jobId) => it.as('bob').explain(jobId),
  ListJobMessages: (it, jobId) => {
    const { raw } = it.as('bob')
    return ask(raw, raw.listJobMessages, proto.ListJobMessagesRequest, { jobId }, 'bob')
  },
  DeleteJob: (it, jobId) => {
    const { raw } = it.as('bob')
    return ask(raw, raw.deleteJob, proto.DeleteJobRequest, { jobId }, 'bob')
  },
  PinJob: (it, jobId) => {
    const { raw } = it.as('bob')
    return ask(raw, raw.pinJob, proto.PinJobRequest, { jobId }, 'bob')
  },
  UnpinJob: (it, jobId) => {
    const { raw } = it.as('bob')
    return ask(raw, raw.unpinJob, proto.UnpinJobRequest, { jobId }, 'bob')
  },
  'StartJob, as its parent': (it, jobId) => it.as('bob').start({ ...job, parentJobId: jobId }),
}

test('no call reads, sends or locks more of a foreign job than of a missing one', async () => {
  const statements = recording()
  await using it = await start({ between: statements.between })
  await using executor = await attachExecutor(it.address)
  const value = Buffer.from(JSON.stringify('x'.repeat(60_000)))
  const params = { source: { $case: 'inline' as const, value } }
  const { jobId: foreign } = await it.as('ann').start({ ...job, params })
  const message = { jobId: foreign, attempt: 1, number: 1, text: 'x'.repeat(1_000) }
  executor.say({ messages: [message] })
  executor.succeed(...(await executor.assigned(1)))
  await it.as('ann').wait([foreign])
  const rowOf = async () => {
    const text = 'SELECT ctid, xmin, xmax, revision FROM offstage.jobs WHERE id = $1'
    return (await it.database.query({ name: '', text }, [foreign])).rows
  }
  const before = await rowOf()
  for (const [name, call] of Object.entries(CALLS)) {
    const missing = randomUUID()
    const ofForeign = await statements.of(foreign, () => refused(call(it, foreign)))
    const ofMissing = await statements.of(missing, () => refused(call(it, missing)))
    expect(ofMissing, name).not.toEqual([])
    expect(ofForeign, name).toEqual(ofMissing)
    expect(await rowOf(), name).toEqual(before)
  }
})

/** Every call that names a schedule, as somebody who is neither its owner nor looks after those of others. */
const CALLS_OF_SCHEDULES: Record<
  string,
  (schedules: ReturnType<typeof connectSchedules>, scheduleId: string) => Promise<unknown>
> = {
  GetSchedule: (of, scheduleId) => of.get({ scheduleId }, 'bob'),
  'UpdateSchedule, of what it starts': (of, scheduleId) =>
    of.update({ scheduleId, job }, ['job'], 'bob'),
  'UpdateSchedule, of its times': (of, scheduleId) =>
    of.update({ scheduleId, timeZone: 'Asia/Tokyo', etag: '7' }, ['time_zone'], 'bob'),
  PauseSchedule: (of, scheduleId) => of.pause({ scheduleId }, 'bob'),
  ResumeSchedule: (of, scheduleId) => of.resume({ scheduleId }, 'bob'),
  TriggerSchedule: (of, scheduleId) => of.trigger({ scheduleId, requestId: 'r' }, 'bob'),
  BackfillSchedule: (of, scheduleId) =>
    of.backfill({ scheduleId, beginTime: new Date(1), endTime: new Date(2) }, 'bob'),
  ListNextRuns: (of, scheduleId) => of.nextRuns({ scheduleId }, 'bob'),
  DeleteSchedule: (of, scheduleId) => of.remove({ scheduleId }, 'bob'),
}

test('no call reads, sends or locks more of a foreign schedule than of a missing one', async () => {
  const statements = recording()
  await using it = await start({ between: statements.between })
  await using _executor = await attachExecutor(it.address)
  using schedules = connectSchedules(it)
  const [foreign, missing] = [randomUUID(), randomUUID()]
  const timing = { $case: 'cron', value: '0 0 * * *' } as const
  const params = { source: { $case: 'inline' as const, value: Buffer.alloc(60_000, '1') } }
  await schedules.create({ scheduleId: foreign, timing, job: { ...job, params } }, { user: 'ann' })
  const rowOf = async () => {
    const text = 'SELECT ctid, xmin, xmax, revision FROM offstage.schedules WHERE id = $1'
    return (await it.database.query({ name: '', text }, [foreign])).rows
  }
  const before = await rowOf()
  for (const [name, call] of Object.entries(CALLS_OF_SCHEDULES)) {
    const ofForeign = await statements.of(foreign, () => refused(call(schedules, foreign)))
    const ofMissing = await statements.of(missing, () => refused(call(schedules, missing)))
    expect(ofMissing, name).not.toEqual([])
    expect(ofForeign, name).toEqual(ofMissing)
    expect(await rowOf(), name).toEqual(before)
  }
})

test('its owner and operators are told of it by the same calls', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.as('ann').start(job)
  await executor.assigned(1)
  for (const user of ['ann', 'olga:operator']) {
    expect((await it.as(user).wait([jobId], { timeoutMs: 0 })).statuses).toMatchObject([
      { jobId, state: proto.JobState.JOB_STATE_RUNNING },
    ])
  }
  const both = await Promise.all(
    ['ann', 'bob'].map((user) => it.as(user).wait([jobId], { timeoutMs: 0 })),
  )
  expect(both.map(({ statuses }) => statuses[0]?.state)).toEqual([
    proto.JobState.JOB_STATE_RUNNING,
    0,
  ])
})
