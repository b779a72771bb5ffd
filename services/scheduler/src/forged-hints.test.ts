/** What a stranger on the bus can do with hints: cost latency, and nothing else. */
import { createInProcessBus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { Backlog } from './dispatch/backlog.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

const OPEN_CANCELS = 'open_cancels'

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
  const waiting = it.jobs.wait([jobId], { timeoutMs: 5_000 })
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
