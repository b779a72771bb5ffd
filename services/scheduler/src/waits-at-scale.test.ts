/** Waiting costs the database nothing while nothing changes, however many wait; and what no hint tells is told by the sweep. */
import { createInProcessBus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { connectJobs, setup } from './testing/setup.ts'
import { openWatch } from './testing/watch.ts'

const job = { method: 'test.job' }
const CLIENTS = 100
const WAITS_OF_EACH = 10

/** Counts the statements that run, by name. */
function counting() {
  const counts = new Map<string, number>()
  const between = (database: Database): Database => ({
    ...database,
    query: (statement, values) => {
      counts.set(statement.name, (counts.get(statement.name) ?? 0) + 1)
      return database.query(statement, values)
    },
  })
  const of = (name: string) => counts.get(name) ?? 0
  return { between, of, reads: () => READS.map(of) }
}

const SWEEP = 'read_news'
/** All that callers who wait read. */
const READS = ['read_watched', 'read_standings', 'read_messages', 'read_job']

test('a thousand waits of a hundred clients read nothing while nothing changes, and all hear of the end', async () => {
  const statements = counting()
  await using it = await start({ between: statements.between })
  await using executor = await attachExecutor(it.address, { slots: CLIENTS * WAITS_OF_EACH })
  const outcomes = await it.jobs.startMany(new Array(CLIENTS * WAITS_OF_EACH).fill(job))
  const ids = outcomes.map(({ outcome }) =>
    outcome?.$case === 'started' ? outcome.value.jobId : '',
  )
  const assignments = await executor.assigned(ids.length)
  await using open = new AsyncDisposableStack()
  const shares = Array.from({ length: CLIENTS }, (_, at) =>
    ids.slice(at * WAITS_OF_EACH, (at + 1) * WAITS_OF_EACH),
  )
  const watches = shares.map((share, at) => {
    const client = connectJobs(it.address)
    open.defer(() => client.close())
    const watch = open.use(openWatch(client.raw, `caller-${at}:operator`))
    watch.say({ add: share.map((jobId) => ({ jobId })) })
    return watch
  })
  const waits = shares.map((share) => it.jobs.wait(share, { timeoutMs: 60_000 }))
  await until(() => watches.every(({ events }) => events.length === WAITS_OF_EACH))
  await until(() => statements.of('read_standings') > 0)
  // The first sweep compares with nothing: it is the second that finds nothing.
  const sweeps = async (count: number) => {
    const before = statements.of(SWEEP)
    await until(() => statements.of(SWEEP) >= before + count)
  }
  await sweeps(2)
  const before = statements.reads()
  await sweeps(5)
  expect(statements.reads()).toEqual(before)

  executor.succeed(...assignments)
  await until(() => watches.every(({ events }) => events.length === 2 * WAITS_OF_EACH))
  expect((await Promise.all(waits)).every(({ satisfied }) => satisfied)).toBe(true)
  const [watchReads = 0] = statements.reads()
  // Watches that have something to read at the same time share their statements.
  expect(watchReads - (before[0] ?? 0)).toBeLessThan(CLIENTS / 2)
}, 60_000)

test('what no hint tells of is told by the sweep: state, progress, messages and the end', async () => {
  await using bus = createInProcessBus()
  await using it = await start({ bus })
  await using deaf = createInProcessBus()
  const config = { waitSweepMs: 100 }
  await using other = await setup({ database: it.database, bus: deaf, config })
  await using executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.jobs.start(job)
  using watch = openWatch(other.jobs.raw)
  watch.say({ add: [{ jobId }] })
  const wait = other.jobs.wait([jobId], { timeoutMs: 60_000 })
  await until(() => watch.events.length === 1)
  const newest = () => watch.events.at(-1)?.event
  await using second = await attachExecutor(it.address)
  const assignments = await second.assigned(1)
  await until(() => newest()?.value === JobState.JOB_STATE_RUNNING)
  second.say({ progress: [{ jobId, attempt: 1, progress: { percent: 7, text: 'far' } }] })
  await until(() => newest()?.$case === 'progress')
  second.say({ messages: [{ jobId, attempt: 1, number: 1, text: 'line' }] })
  await until(() => newest()?.$case === 'message')
  second.succeed(...assignments)
  await until(() => newest()?.$case === 'completion')
  expect((await wait).satisfied).toBe(true)
  expect(watch.events).toHaveLength(5)
  expect(executor.assignments).toEqual([])
}, 30_000)

test('a watched job that is removed is told as missing', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.jobs.start(job)
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 1)
  await it.database.query({ name: '', text: `DELETE FROM offstage.jobs WHERE id = '${jobId}'` })
  watch.halfClose()
  await until(() => watch.ended)
  expect(watch.events.at(-1)?.event).toEqual({
    $case: 'state',
    value: JobState.JOB_STATE_UNSPECIFIED,
  })
})
