/** What a stranger on the bus can do with hints: cost latency, and nothing else. */
import { createInProcessBus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { durationFrom } from '@offstage/proto/durations'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { Backlog } from './dispatch/backlog.ts'
import { start } from './testing/on-postgres.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const OPEN_CANCELS = 'open_cancels'
const NEXT_SCHEDULE = 'until_next_schedule'
const GATES = 'read_gates'

afterEach(() => vi.restoreAllMocks())

test('hints about methods that nobody here runs leave nothing behind', async () => {
  const noted = vi.spyOn(Backlog.prototype, 'note')
  await using bus = createInProcessBus()
  await using it = await start({ bus })
  await using executor = await attachExecutor(it.address)
  for (let n = 0; n < 1_000; n += 1) {
    bus.publish(`offstage.v1.default.queues.forged.m${n}.ready`, 'x')
    bus.publish(`offstage.v1.ns${n}.queues.test.job.ready`, 'x')
  }
  await bus.flush()
  const forged = noted.mock.calls.filter(
    ([{ namespace, method }]) => namespace !== 'default' || method !== 'test.job',
  )
  expect(forged).toEqual([])
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await executor.assigned(1)
  expect(await it.jobs.get(jobId)).toMatchObject({ state: JobState.JOB_STATE_RUNNING })
})

test('forged cancels stop nothing, and any number of them is one reading at a time', async () => {
  let readings = 0
  const counting = (database: Database): Database => ({
    ...database,
    query: (statement, values) => {
      if (statement.name === OPEN_CANCELS) readings += 1
      return database.query(statement, values)
    },
  })
  await using bus = createInProcessBus()
  await using it = await start({ bus, between: counting })
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await executor.assigned(1)
  const text = 'SELECT id FROM offstage.attachments'
  const { rows } = await it.database.query<{ id: string }>({ name: '', text })
  const waiting = it.jobs.wait([jobId])
  const before = readings
  for (let n = 0; n < 1_000; n += 1) {
    bus.publish(`offstage.v1.executors.${rows[0]?.id}.cancel`, jobId)
    bus.publish(`offstage.v1.default.jobs.${jobId}.canceled`, 'x')
  }
  await bus.flush()
  await until(() => readings > before)
  expect(readings - before).toBeLessThan(20)
  expect(executor.cancels).toEqual([])
  executor.succeed(...executor.assignments)
  expect(await waiting).toMatchObject({ satisfied: true })
  expect(await it.jobs.get(jobId)).toMatchObject({ state: JobState.JOB_STATE_SUCCEEDED })
})

test('forged hints about schedules and gates create no job before its time, and any number of them is one reading at a time', async () => {
  const readings: Record<string, number> = {}
  const counting = (database: Database): Database => ({
    ...database,
    query: (statement, values) => {
      readings[statement.name] = (readings[statement.name] ?? 0) + 1
      return database.query(statement, values)
    },
  })
  await using bus = createInProcessBus()
  const config = { dueSweepMs: 60_000, claimSweepMs: 60_000 }
  await using it = await start({ bus, between: counting, config })
  await using _executor = await attachExecutor(it.address)
  using schedules = connectSchedules(it)
  const timing = { $case: 'interval', value: durationFrom(3_600_000) } as const
  await schedules.create({ scheduleId: 'hourly', timing, job: { method: 'test.job' } })
  const before = { ...readings }
  for (let n = 0; n < 1_000; n += 1) {
    bus.publish('offstage.v1.default.schedules.changed', 'hourly')
    bus.publish(`offstage.v1.ns${n}.schedules.changed`, 'x')
    bus.publish(`offstage.v1.ns${n}.gates.changed`, 'x')
  }
  await bus.flush()
  const more = (name: string) => (readings[name] ?? 0) - (before[name] ?? 0)
  await until(() => more(NEXT_SCHEDULE) > 0 && more(GATES) > 0)
  expect(more(NEXT_SCHEDULE)).toBeLessThan(20)
  expect(more(GATES)).toBeLessThan(20)
  expect(await schedules.jobs('hourly')).toEqual([])
})
