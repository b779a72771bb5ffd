/** Schedules of which something is in the way: rows that cannot be read or carried out, too many of them, a death in between. */
import { status } from '@grpc/grpc-js'
import type { Database } from '@offstage/kit/database'
import { durationFrom } from '@offstage/proto/durations'
import { OverlapPolicy, type Schedule } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Draft } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

let it: Awaited<ReturnType<typeof start>>
let schedules: ReturnType<typeof connectSchedules>
const stack = new AsyncDisposableStack()
/** The name of a statement that fails, as where its process dies before it. */
let failing: string | undefined
/** What happens before the next change of a schedule is written. */
let meanwhile: (() => Promise<void>) | undefined

beforeAll(async () => {
  it = stack.use(await start({ between: failingAt }))
  schedules = stack.use(connectSchedules(it))
  stack.use(await attachExecutor(it.address, { methods: ['test.job', 'test.poison'], slots: 100 }))
})
afterAll(() => stack.disposeAsync())

function failingAt(database: Database): Database {
  const checked = <T extends Pick<Database, 'query'>>(inner: T): T => {
    const query = (statement: Parameters<Database['query']>[0], values?: readonly unknown[]) => {
      if (statement.name === failing) throw new Error(`${failing} fails`)
      if (statement.name !== 'change_schedule' || meanwhile === undefined) {
        return inner.query(statement, values)
      }
      const first = meanwhile()
      meanwhile = undefined
      return first.then(() => inner.query(statement, values))
    }
    return { ...inner, query }
  }
  return {
    ...checked(database),
    transaction: (work) => database.transaction((tx) => work(checked(tx))),
  }
}

const sql = (text: string, values: readonly unknown[] = []) =>
  it.database.query({ name: '', text }, values)

let count = 0
const nightly = (given: Draft<Schedule> = {}) => ({
  scheduleId: `odd-${++count}`,
  job: { method: 'test.job' },
  timing: { $case: 'cron', value: '0 0 * * *' } as const,
  ...given,
})

/** As many as are wanted of one, under other ids. */
const copy = (id: string, copies: number, set = 's.terms') =>
  sql(
    `INSERT INTO offstage.schedules (namespace, id, uid, owner, creator, roles, terms, due_time, wake_time)
     SELECT s.namespace, s.id || '-' || lpad(n::text, 6, '0'), gen_random_uuid(), s.owner, s.creator, s.roles, ${set}, s.due_time, s.wake_time
     FROM offstage.schedules s CROSS JOIN generate_series(1, $2::int) n WHERE s.id = $1`,
    [id, copies],
  )
const removeCopies = (id: string) =>
  sql(`DELETE FROM offstage.schedules WHERE id LIKE $1 || '-%'`, [id])

const hasJobs = (id: string, wanted = 1) =>
  until(async () => (await schedules.jobs(id)).length >= wanted, { what: `jobs of ${id}` })

test('schedules that cannot be read are told of and listed, can be deleted, and keep no other from its due time', async () => {
  const { scheduleId } = await schedules.create(nightly())
  await copy(scheduleId, 1_200, `'{"v":9}'::jsonb`)
  await sql(
    `UPDATE offstage.schedules SET wake_time = now() - interval '1 minute' WHERE id LIKE $1`,
    [`${scheduleId}-%`],
  )
  const other = await schedules.create(nightly())
  await schedules.makeDue(other.scheduleId)
  await hasJobs(other.scheduleId)
  // And in the next second, which no sweep is there for.
  const soon = await schedules.create(
    nightly({
      timing: { $case: 'cron', value: '* * * * * *' },
      endTime: new Date(Date.now() + 3_000),
    }),
  )
  await hasJobs(soon.scheduleId)

  const strange = `${scheduleId}-000001`
  expect(await schedules.get({ scheduleId: strange })).toMatchObject({
    ...{ scheduleId: strange, owner: 'dev', job: undefined, timing: undefined },
    unreadable: expect.stringContaining('version 9'),
  })
  const { schedules: listed } = await schedules.list({ pageSize: 1_000 })
  expect(listed.filter(({ unreadable }) => unreadable !== undefined).length).toBeGreaterThan(900)
  for (const refused of [
    () => schedules.trigger({ scheduleId: strange }),
    () => schedules.pause({ scheduleId: strange }),
    () => schedules.update({ scheduleId: strange, timeZone: 'UTC' }, ['time_zone']),
  ]) {
    await expect(refused()).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('cannot be read: stored terms of schedules have version 9'),
    })
  }
  await schedules.remove({ scheduleId: strange })
  await expect(schedules.get({ scheduleId: strange })).rejects.toMatchObject({
    code: status.NOT_FOUND,
  })
  await removeCopies(scheduleId)
})

test('a schedule whose job the database refuses holds up none of those that are due with it', async () => {
  await sql(
    `ALTER TABLE offstage.jobs ADD CONSTRAINT no_poison CHECK (method <> 'test.poison') NOT VALID`,
  )
  const poisoned = await schedules.create(nightly({ job: { method: 'test.poison' } }))
  const others = [await schedules.create(nightly()), await schedules.create(nightly())]
  for (const { scheduleId } of [poisoned, ...others]) await schedules.makeDue(scheduleId)
  for (const { scheduleId } of others) await hasJobs(scheduleId)
  await sql('ALTER TABLE offstage.jobs DROP CONSTRAINT no_poison')
  await hasJobs(poisoned.scheduleId)
})

test('a change that comes between a due time and the next brings back none that is past', async () => {
  const { scheduleId } = await schedules.create(
    nightly({
      timing: { $case: 'interval', value: durationFrom(3_600_000) },
      anchorTime: new Date(Date.now() + 1_500),
      overlapPolicy: OverlapPolicy.OVERLAP_POLICY_CANCEL_RUNNING,
    }),
  )
  meanwhile = () =>
    until(async () => (await schedules.get({ scheduleId })).lastDueTime !== undefined)
  await schedules.update({ scheduleId, timeZone: 'Asia/Tokyo' }, ['time_zone'])
  await until(async () => {
    const { nextRunTime } = await schedules.get({ scheduleId })
    return (nextRunTime?.getTime() ?? 0) > Date.now()
  })
  expect(await schedules.jobs(scheduleId)).toMatchObject([{ canceled: false }])
})

test('a change of the times passes over no due time that has come and was not carried out yet', async () => {
  const { scheduleId } = await schedules.create(nightly())
  failing = 'hold_due_schedules'
  await schedules.makeDue(scheduleId)
  await schedules.update({ scheduleId, timeZone: 'Asia/Tokyo' }, ['time_zone'])
  failing = undefined
  await hasJobs(scheduleId)
})

test('a due time that comes again, such as by a clock that is put back, does not cancel its own job', async () => {
  const { scheduleId } = await schedules.create(
    nightly({ overlapPolicy: OverlapPolicy.OVERLAP_POLICY_CANCEL_RUNNING }),
  )
  await schedules.makeDue(scheduleId)
  await hasJobs(scheduleId)
  const { lastDueTime } = await schedules.get({ scheduleId })
  await sql(
    'UPDATE offstage.schedules SET due_time = last_due_time, wake_time = last_due_time, last_due_time = NULL WHERE id = $1',
    [scheduleId],
  )
  await until(async () => (await schedules.get({ scheduleId })).lastDueTime !== undefined)
  expect((await schedules.get({ scheduleId })).lastDueTime).toEqual(lastDueTime)
  expect(await schedules.jobs(scheduleId)).toMatchObject([{ canceled: false }])
})

test('a job that was triggered counts at the next due time, though its scheduler died before it was noted', async () => {
  const { scheduleId } = await schedules.create(
    nightly({ overlapPolicy: OverlapPolicy.OVERLAP_POLICY_SKIP }),
  )
  failing = 'note_jobs_of_schedule'
  await expect(schedules.trigger({ scheduleId })).rejects.toMatchObject({ code: expect.anything() })
  failing = undefined
  expect(await schedules.jobs(scheduleId)).toHaveLength(1)
  await schedules.makeDue(scheduleId)
  await until(async () => (await schedules.get({ scheduleId })).lastDueTime !== undefined)
  expect(await schedules.jobs(scheduleId)).toHaveLength(1)
})

const actsOn = async (scheduleId: string) => {
  const { rows } = await sql(
    `SELECT call, actor, owners, outcome FROM offstage.acts WHERE targets = ARRAY[$1::text] AND call NOT LIKE '%GetSchedule' ORDER BY id`,
    [scheduleId],
  )
  return rows
}

test('the trigger of a schedule of somebody else is on record, though its scheduler died before it was noted, and not where it is refused', async () => {
  const { scheduleId } = await schedules.create(
    nightly({ runAs: 'ann', job: { method: 'test.job', key: 'theirs' } }),
  )
  const olga = 'olga:operator'
  failing = 'note_jobs_of_schedule'
  await expect(schedules.trigger({ scheduleId }, olga)).rejects.toMatchObject({
    code: expect.anything(),
  })
  failing = undefined
  expect(await schedules.jobs(scheduleId)).toHaveLength(1)
  const triggered = {
    ...{ call: 'ScheduleService.TriggerSchedule', actor: 'olga', owners: ['ann'], outcome: 'OK' },
  }
  expect(await actsOn(scheduleId)).toEqual([triggered])

  await expect(schedules.trigger({ scheduleId }, olga)).rejects.toMatchObject({
    code: status.ALREADY_EXISTS,
  })
  expect(await actsOn(scheduleId)).toEqual([triggered])
})

test('what is triggered again and again is noted up to a thousand, the newest of it', async () => {
  const { scheduleId } = await schedules.create(nightly())
  const text = `UPDATE offstage.schedules SET open_jobs = ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 1000)) WHERE id = $1`
  await sql(text, [scheduleId])
  const { jobId } = await schedules.trigger({ scheduleId })
  const { rows } = await sql(
    'SELECT cardinality(open_jobs) AS count, open_jobs[1000] AS last FROM offstage.schedules WHERE id = $1',
    [scheduleId],
  )
  expect(rows).toEqual([{ count: 1_000, last: jobId }])
})

test('jobs of a backfill count as those of due times do, and the backfill of a schedule of others is recorded', async () => {
  const asked = nightly({ overlapPolicy: OverlapPolicy.OVERLAP_POLICY_SKIP, runAs: 'ann' })
  const { scheduleId } = await schedules.create(asked)
  const span = { beginTime: new Date('2026-03-01'), endTime: new Date('2026-03-03') }
  const { jobIds } = await schedules.backfill({ scheduleId, ...span }, 'olga:operator')
  expect(await schedules.get({ scheduleId })).toMatchObject({ lastJobId: jobIds[1] })
  await schedules.makeDue(scheduleId)
  await until(async () => (await schedules.get({ scheduleId })).lastDueTime !== undefined)
  expect(await schedules.jobs(scheduleId)).toHaveLength(2)
  expect(await actsOn(scheduleId)).toEqual([
    {
      ...{ call: 'ScheduleService.BackfillSchedule', actor: 'olga', owners: ['ann'] },
      outcome: 'OK',
    },
  ])
})

test('an owner has their share of the schedules of a namespace, whoever creates them, and leaves the others to others', async () => {
  const asked = nightly({ runAs: 'cara' })
  const { scheduleId } = await schedules.create(asked, { requestId: 'first of cara' })
  await copy(scheduleId, 9_999)
  const full = {
    code: status.RESOURCE_EXHAUSTED,
    details:
      'cara has 10000 schedules in the namespace default, as many as one owner may have; delete some that are not needed',
  }
  await expect(schedules.create(nightly(), { user: 'cara' })).rejects.toMatchObject(full)
  await expect(schedules.create(nightly({ runAs: 'cara' }))).rejects.toMatchObject(full)
  await schedules.create(asked, { requestId: 'first of cara' })
  const declaration = { schedule: nightly({ runAs: 'cara' }), version: 1 }
  await using declaring = await attachExecutor(it.address, {
    user: 'eve:executor+service',
    hello: { schedules: [declaration] },
  })
  await until(() => declaring.declared.length > 0)
  expect(declaring.declared).toMatchObject([{ reason: 'QUOTA_EXCEEDED', message: full.details }])
  const bobs = await schedules.create(nightly(), { user: 'bob' })
  expect(bobs.owner).toBe('bob')
  await schedules.remove({ scheduleId: `${scheduleId}-000001` }, 'cara')
  expect((await schedules.create(nightly(), { user: 'cara' })).owner).toBe('cara')
  await removeCopies(scheduleId)
})

test('a namespace has so many schedules and no more; that many are listed and carried out as a few are', async () => {
  const asked = nightly()
  const created = await schedules.create(asked, { requestId: 'once' })
  const { scheduleId } = created
  const page = async () => {
    const begun = performance.now()
    await schedules.list({ pageSize: 50 })
    await schedules.get({ scheduleId })
    return performance.now() - begun
  }
  const median = async () => {
    const times: number[] = []
    for (let turn = 0; turn < 9; turn++) times.push(await page())
    return times.sort((a, b) => a - b)[4] ?? 0
  }
  const few = await median()
  await copy(scheduleId, 100_000)
  expect(await median()).toBeLessThan(10 * few)
  await schedules.makeDue(`${scheduleId}-050000`)
  await hasJobs(`${scheduleId}-050000`)

  await expect(schedules.create(nightly())).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details:
      'the namespace default has 100000 schedules, as many as it may have; delete some that are not needed',
  })
  // Asked again, such as by a client that did not hear the answer.
  expect(await schedules.create(asked, { requestId: 'once' })).toEqual(created)
})
