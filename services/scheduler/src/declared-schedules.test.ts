/** Schedules that executors declare at their attach (row K1), on two replicas over one database. */
import { status } from '@grpc/grpc-js'
import type { Database } from '@offstage/kit/database'
import { durationFrom } from '@offstage/proto/durations'
import { DeclarationResult, type DeclaredSchedule } from '@offstage/proto/executor'
import type { Schedule } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Draft } from './testing/draft.ts'
import { faults } from './testing/faults/faults.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor, type ScriptOptions } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const {
  DECLARATION_RESULT_UNCHANGED: UNCHANGED,
  DECLARATION_RESULT_CREATED: CREATED,
  DECLARATION_RESULT_CHANGED: CHANGED,
  DECLARATION_RESULT_REMOVED: REMOVED,
  DECLARATION_RESULT_REFUSED: REFUSED,
} = DeclarationResult

let one: Awaited<ReturnType<typeof start>>
let other: Awaited<ReturnType<typeof setup>>
let schedules: ReturnType<typeof connectSchedules>
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  one = stack.use(await start())
  other = stack.use(await setup({ database: one.database }))
  schedules = stack.use(connectSchedules(one))
})
afterAll(() => stack.disposeAsync())

let count = 0
const newId = () => `declared-${++count}`
const RUNNER = 'runner:executor+user'

const declared = (
  id: string,
  version: number,
  given: Draft<Schedule> = {},
  beside: Draft<DeclaredSchedule> = {},
): Draft<DeclaredSchedule> => ({
  schedule: {
    ...{ scheduleId: id, job: { method: 'test.job' } },
    timing: { $case: 'cron', value: '0 0 * * *' },
    ...given,
  } as Draft<Schedule>,
  version,
  ...beside,
})
const removed = (id: string, version: number): Draft<DeclaredSchedule> => ({
  ...{ schedule: { scheduleId: id }, version, removed: true },
})

async function attach(
  said: Draft<DeclaredSchedule>[],
  options: ScriptOptions = {},
  at: Pick<typeof other, 'scheduler'> = one,
) {
  const hello = { schedules: said as never, ...options.hello }
  return await attachExecutor(at.scheduler.address, { user: RUNNER, ...options, hello })
}

/** What came of each, in order. */
async function declare(
  said: Draft<DeclaredSchedule>[],
  options: ScriptOptions = {},
  at: Pick<typeof other, 'scheduler'> = one,
) {
  for (;;) {
    await using executor = await attach(said, options, at)
    await until(() => executor.declared.length === said.length || executor.ended, {
      timeoutMs: 40_000,
    })
    // Whose lease runs out, or whose scheduler is in trouble, attaches anew.
    if (executor.error?.code === status.UNAVAILABLE) continue
    return executor.declared.map(({ result, reason }) => reason || result)
  }
}

const get = (scheduleId: string) => schedules.get({ scheduleId })

test('a declared schedule is created for whoever attaches, once, and is there at the next attach', async () => {
  const id = newId()
  expect(await declare([declared(id, 1)])).toEqual([CREATED])
  expect(await get(id)).toMatchObject({
    ...{ owner: 'runner', creator: 'runner', predefined: true, paused: false, etag: '1' },
    nextRunTime: expect.any(Date),
  })
  expect(await declare([declared(id, 1)])).toEqual([UNCHANGED])
  expect((await get(id)).etag).toBe('1')
})

test('its due times start jobs as those of any schedule', async () => {
  const id = newId()
  await declare([declared(id, 1, { timing: { $case: 'interval', value: durationFrom(1_000) } })])
  await until(async () => (await schedules.jobs(id)).length > 0)
  expect(await schedules.jobs(id)).toMatchObject([{ owner: 'runner' }])
})

test('versions side by side do not fight: the higher one holds, in whichever order and however often they attach', async () => {
  const id = newId()
  const old = declared(id, 1)
  const renewed = declared(id, 2, { timing: { $case: 'cron', value: '0 4 * * *' } })
  expect(await declare([old])).toEqual([CREATED])
  expect(await declare([renewed], {}, other)).toEqual([CHANGED])
  for (let turn = 0; turn < 3; turn++) {
    expect(await declare([old])).toEqual([UNCHANGED])
    expect(await declare([renewed], {}, other)).toEqual([UNCHANGED])
  }
  expect(await get(id)).toMatchObject({ timing: { value: '0 4 * * *' }, etag: '2' })
})

test('at the same moment on two replicas one creates it, and one changes it', async () => {
  const ids = Array.from({ length: 20 }, newId)
  for (const version of [1, 2]) {
    const said = ids.map((id) => declared(id, version, { timeZone: `Etc/GMT+${version}` }))
    const results = await Promise.all([
      ...[declare(said), declare(said, {}, other)],
      ...[declare(said), declare(said, {}, other)],
    ])
    for (const index of ids.keys()) {
      const done = results.map((each) => each[index]).sort()
      const first = version === 1 ? CREATED : CHANGED
      // Who does not hear whether it was the one says so, too.
      if (faults !== undefined) expect(done).toContain(first)
      else expect(done).toEqual([UNCHANGED, UNCHANGED, UNCHANGED, first])
    }
  }
  const etags = await Promise.all(ids.map(async (id) => (await get(id)).etag))
  expect(new Set(etags)).toEqual(new Set(['2']))
})

test('what is written although its answer is lost is told as what it was, and so is all before it', async () => {
  const losing = { next: '' }
  const between = (database: Database): Database => ({
    ...database,
    async transaction(work) {
      const ids: unknown[] = []
      const done = await database.transaction((tx) =>
        work({
          query: (statement, values) => {
            if (statement.name === 'write_declared_schedule') ids.push(values?.[1])
            return tx.query(statement, values)
          },
        }),
      )
      if (!ids.includes(losing.next)) return done
      losing.next = ''
      throw new Error('Connection terminated unexpectedly')
    },
  })
  await using it = await start({ between })
  const ids = [newId(), newId(), newId()]
  const say = (version: number, zone: string) => {
    losing.next = ids[1] ?? ''
    return declare(
      ids.map((id) => declared(id, version, { timeZone: zone })),
      {},
      it,
    )
  }
  expect(await say(1, 'Etc/GMT+1')).toEqual([CREATED, CREATED, CREATED])
  expect(losing.next).toBe('')
  expect(await say(2, 'Etc/GMT+2')).toEqual([CHANGED, CHANGED, CHANGED])
  expect(losing.next).toBe('')
})

test('two versions at the same moment, on two replicas: the higher one holds', async () => {
  const ids = Array.from({ length: 20 }, newId)
  const said = (version: number) =>
    ids.map((id) => declared(id, version, { timeZone: `Etc/GMT+${version}` }))
  await Promise.all([declare(said(1)), declare(said(2), {}, other), declare(said(1))])
  const zones = await Promise.all(ids.map(async (id) => (await get(id)).timeZone))
  expect(new Set(zones)).toEqual(new Set(['Etc/GMT+2']))
})

test('what an operator has changed stays until a version says something else of that field', async () => {
  const id = newId()
  const OLGA = 'olga:operator'
  await declare([declared(id, 1)])
  await schedules.pause({ scheduleId: id, reason: 'stock-taking' }, OLGA)
  await schedules.update({ scheduleId: id, timeZone: 'Asia/Tokyo' }, ['time_zone'], OLGA)
  const timing = { $case: 'cron', value: '0 4 * * *' } as const
  expect(await declare([declared(id, 2, { timing })])).toEqual([CHANGED])
  expect(await get(id)).toMatchObject({
    ...{ paused: true, pauseReason: 'stock-taking', nextRunTime: undefined },
    ...{ timeZone: 'Asia/Tokyo', timing },
  })
  expect(await declare([declared(id, 3, { timing, timeZone: 'Europe/Berlin' })])).toEqual([CHANGED])
  expect(await get(id)).toMatchObject({ timeZone: 'Europe/Berlin', paused: true, timing })
})

test('times of an operator that do not go with those of a new version give way to the code', async () => {
  const id = newId()
  await declare([declared(id, 1)])
  const end = new Date(Date.now() + 86_400_000 * 40)
  await schedules.update({ scheduleId: id, endTime: end }, ['end_time'])
  const beginTime = new Date(end.getTime() + 86_400_000)
  expect(await declare([declared(id, 2, { beginTime })])).toEqual([CHANGED])
  expect(await get(id)).toMatchObject({ beginTime, endTime: undefined })
})

test('a declared pause holds until somebody resumes it, and a version that says so ends it', async () => {
  const id = newId()
  await declare([declared(id, 1, {}, { paused: true })])
  expect(await get(id)).toMatchObject({ paused: true, nextRunTime: undefined })
  await schedules.resume({ scheduleId: id })
  await declare([declared(id, 2, {}, { paused: true })])
  expect(await get(id)).toMatchObject({ paused: false, nextRunTime: expect.any(Date) })
  await schedules.pause({ scheduleId: id })
  await declare([declared(id, 3)])
  expect(await get(id)).toMatchObject({ paused: false, nextRunTime: expect.any(Date) })
})

test('it is removed where a version says so, and an older one does not bring it back', async () => {
  const id = newId()
  await declare([declared(id, 1)])
  expect(await declare([removed(id, 2)])).toEqual([REMOVED])
  await expect(get(id)).rejects.toMatchObject({ code: status.NOT_FOUND })
  expect(await declare([declared(id, 1)])).toEqual([UNCHANGED])
  await expect(get(id)).rejects.toMatchObject({ code: status.NOT_FOUND })
  expect(await declare([declared(id, 3)])).toEqual([CREATED])
})

test('one that code has no longer stays, and one that was deleted by hand comes back with the next version', async () => {
  const id = newId()
  await declare([declared(id, 1)])
  await declare([declared(newId(), 1)])
  expect(await get(id)).toMatchObject({ scheduleId: id })
  await schedules.remove({ scheduleId: id })
  expect(await declare([declared(id, 1)])).toEqual([UNCHANGED])
  await expect(get(id)).rejects.toMatchObject({ code: status.NOT_FOUND })
  expect(await declare([declared(id, 2)])).toEqual([CREATED])
})

test('the same version with something else in it changes nothing, and is told', async () => {
  const id = newId()
  await declare([declared(id, 1)])
  expect(await declare([declared(id, 1, { timeZone: 'Asia/Tokyo' })])).toEqual([
    'SCHEDULE_VERSION_REUSED',
  ])
  expect((await get(id)).timeZone).toBe('UTC')
})

test('what cannot be declared is told with its reason, and keeps neither the others nor jobs waiting', async () => {
  const [taken, never, right] = [newId(), newId(), newId()]
  await schedules.create({
    ...{ scheduleId: taken, job: { method: 'test.job' } },
    timing: { $case: 'cron', value: '0 0 * * *' },
  })
  const said = [
    declared(taken, 1),
    declared(never, 1, { timing: { $case: 'cron', value: '0 0 30 2 *' } }),
    declared(right, 1, { endTime: new Date(2e11) }),
  ]
  await using executor = await attach(said)
  await until(() => executor.declared.length === 3)
  expect(executor.declared.map(({ reason, result }) => [result, reason])).toEqual([
    [REFUSED, 'SCHEDULE_ID_TAKEN'],
    [REFUSED, 'INVALID_FIELD'],
    [CREATED, ''],
  ])
  expect(executor.declared[1]?.message).toContain('schedule.cron never')
  await one.jobs.start({ method: 'test.job' })
  await executor.assigned(1)
  // Its end has passed: it is over, and no fault.
  expect(await get(right)).toMatchObject({ nextRunTime: undefined, paused: false })
  expect(await get(taken)).toMatchObject({ predefined: false, owner: 'dev' })
})

const refused = async (said: Draft<DeclaredSchedule>[], options: ScriptOptions = {}) => {
  await using executor = await attach(said, options)
  await until(() => executor.ended)
  return { code: status[executor.error?.code ?? 0], details: executor.error?.details }
}

test('who may not create schedules may not attach with any', async () => {
  expect(await refused([declared(newId(), 1)], { user: 'runner:executor' })).toMatchObject({
    code: 'PERMISSION_DENIED',
    details: expect.stringMatching(/attach with the schedules declared-\d+: .*role user/),
  })
})

test('nobody declares for others, or takes what others have declared, but services', async () => {
  const id = newId()
  expect(await declare([declared(id, 1, { runAs: 'ann' })])).toEqual(['INVALID_FIELD'])
  await declare([declared(id, 5)])
  const stranger = { user: 'eve:executor+user' }
  for (const each of [declared(id, 1), declared(id, 5), declared(id, 9), removed(id, 9)]) {
    expect(await declare([each], stranger)).toEqual(['SCHEDULE_ID_TAKEN'])
  }
  expect(await get(id)).toMatchObject({ owner: 'runner', etag: '1' })
  const service = { user: 'svc:executor+service' }
  expect(await declare([declared(id, 6, { timeZone: 'Asia/Tokyo' })], service)).toEqual([CHANGED])
  expect(await get(id)).toMatchObject({ owner: 'runner', timeZone: 'Asia/Tokyo' })
  const forAnn = newId()
  expect(await declare([declared(forAnn, 1, { runAs: 'ann' })], service)).toEqual([CREATED])
  expect(await get(forAnn)).toMatchObject({ owner: 'ann', creator: 'svc' })
  expect(await declare([declared(forAnn, 2, { runAs: 'bob' })], service)).toEqual(['INVALID_FIELD'])
})

test('an id whose schedule somebody has deleted is free for others', async () => {
  const id = newId()
  await declare([declared(id, 7)])
  await declare([removed(id, 8)])
  expect(await declare([declared(id, 1)], { user: 'eve:executor+user' })).toEqual([CREATED])
  expect(await get(id)).toMatchObject({ owner: 'eve' })
})

test.each<[string, Draft<DeclaredSchedule>[], string]>([
  ['no schedule', [{ version: 1 }], 'hello.schedules[0].schedule is required'],
  ['no version', [declared('x', 0)], 'hello.schedules[0].version must be at least 1, not 0'],
  ['a version below', [declared('x', -7)], 'hello.schedules[0].version'],
  ['no id', [declared('', 1)], 'hello.schedules[0].schedule.schedule_id is required'],
  ['another namespace', [declared('x', 1, { namespace: 'other' })], 'schedule.namespace must be'],
  ['an etag', [declared('x', 1, { etag: '1' })], 'hello.schedules[0].schedule.etag'],
  [
    'one that is removed and has times',
    [declared('x', 1, {}, { removed: true })],
    'hello.schedules[0].schedule must have its schedule_id alone',
  ],
  ['no job', [declared('x', 1, { job: undefined as never })], 'hello.schedules[0].schedule.job'],
  ['one id twice', [declared('x', 1), declared('x', 2)], 'hello.schedules[1].schedule.schedule_id'],
  [
    'a method of others',
    [declared('x', 1, { job: { method: 'no.such' } })],
    'hello.schedules[0].schedule.job.method must be one of those in the hello, not no.such',
  ],
  [
    'a policy nobody knows',
    [declared('x', 1, { overlapPolicy: 77 as never })],
    'hello.schedules[0].schedule.overlap_policy',
  ],
  [
    'too many',
    Array.from({ length: 1_001 }, (_, n) => declared(`x${n}`, 1)),
    'hello.schedules must be at most 1000',
  ],
])('a hello with %s is refused, naming it', async (_, said, details) => {
  expect(await refused(said)).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: expect.stringContaining(details),
  })
})
