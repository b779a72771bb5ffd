/** How busy the whole is, as a scrape of any replica tells it. */
import { createInProcessBus } from '@offstage/kit/bus'
import { createProbeServer } from '@offstage/kit/health'
import { createLogger, createMetrics } from '@offstage/kit/telemetry'
import { JobState, Lane } from '@offstage/proto/jobs'
import { scrape, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { Scheduler } from './scheduler.ts'
import { createLoadStore } from './store/load-store.ts'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const log = createLogger({ name: 'scheduler', level: 'silent' })

/** One scrape of the replica, as its process would answer it. */
async function scraped({ measures }: Scheduler) {
  const unready = () => undefined
  const metrics = createMetrics({ service: 'scheduler', unready })
  for (const each of measures) metrics.add(each)
  await using server = createProbeServer({ host: '127.0.0.1', port: 0, unready, metrics, log })
  await server.start()
  return await scrape(server.port)
}

const place = { namespace: 'default' }
const of = (method: string, pool = 'default') => ({ ...place, method, pool })
const jobs = (method: string, state: string, pool?: string) => ({ ...of(method, pool), state })

test('a scrape tells what is queued, running and free, and every replica the same', async () => {
  await using bus = createInProcessBus()
  await using it = await start({ bus, config: { sessionLeaseMs: 10_000 } })
  await using other = await setup({ database: it.database, bus })
  await using executor = await attachExecutor(it.address, {
    slots: 3,
    taskSlots: 2,
    hello: {
      lanes: [
        { lane: Lane.LANE_INLINE, slots: 3 },
        { lane: Lane.LANE_TASK, slots: 2 },
      ],
    },
    definitions: [{ name: 'test.job' }, { name: 'test.slow', lane: Lane.LANE_TASK }],
  })
  await using elsewhere = await attachExecutor(other.scheduler.address, {
    slots: 4,
    hello: { lanes: [{ lane: Lane.LANE_INLINE, slots: 4 }] },
    methods: ['test.job'],
    namespace: 'elsewhere',
  })
  // Three fill the slots of the lane, one waits; one goes where there are other slots, one where nobody serves it.
  for (let at = 0; at < 4; at += 1) await it.jobs.start({ method: 'test.job', priority: at })
  await it.jobs.start({ method: 'test.slow' })
  await executor.assigned(4)
  const namespaces = connectNamespaces(it.address)
  await namespaces.pauseMethod('test.slow')
  await it.jobs.start({ method: 'test.slow' })
  namespaces[Symbol.dispose]()

  for (const replica of [it.scheduler, other.scheduler]) {
    const told = await scraped(replica)
    expect(told.value('offstage_jobs', jobs('test.job', 'running'))).toBe(3)
    expect(told.value('offstage_jobs', jobs('test.job', 'queued'))).toBe(1)
    expect(told.value('offstage_jobs', jobs('test.slow', 'running'))).toBe(1)
    expect(told.value('offstage_jobs', jobs('test.slow', 'queued'))).toBe(1)
    expect(told.count('offstage_jobs')).toBe(4)
    expect(told.value('offstage_jobs_exact')).toBe(1)
    // What a pause holds back waits for nobody's slot.
    expect(told.count('offstage_queue_oldest_seconds')).toBe(1)
    expect(told.value('offstage_queue_oldest_seconds', of('test.job'))).toBeGreaterThan(0)
    const lane = (name: string) => ({ ...place, lane: name })
    expect(told.value('offstage_slots', lane('inline'))).toBe(3)
    expect(told.value('offstage_slots_used', lane('inline'))).toBe(3)
    expect(told.value('offstage_slots', lane('task'))).toBe(2)
    expect(told.value('offstage_slots_used', lane('task'))).toBe(1)
    expect(told.value('offstage_slots', { namespace: 'elsewhere', lane: 'inline' })).toBe(4)
    expect(told.value('offstage_method_slots', of('test.job'))).toBe(3)
    expect(told.value('offstage_method_slots_used', of('test.job'))).toBe(3)
    expect(told.value('offstage_method_slots', of('test.slow'))).toBe(2)
    expect(told.value('offstage_method_slots_used', of('test.slow'))).toBe(1)
    expect(told.value('offstage_executors', { ...place, state: 'attached' })).toBe(1)
    expect(told.value('offstage_jobs_read_age_seconds')).toBeLessThan(60)
    // Of the replica alone.
    expect(told.value('offstage_scheduler_attachments')).toBe(1)
    expect(told.value('offstage_scheduler_leases_lost_total')).toBe(0)
  }
  expect(elsewhere.ended).toBe(false)
})

test('what is queued, running and free is told for each pool', async () => {
  await using it = await start({ config: { sessionLeaseMs: 10_000 } })
  const inline = (slots: number) => ({ lanes: [{ lane: Lane.LANE_INLINE, slots }] })
  await using both = await attachExecutor(it.address, {
    slots: 2,
    hello: { pools: ['gpu', 'default'], ...inline(2) },
  })
  await using _plain = await attachExecutor(it.address, { slots: 0, hello: inline(4) })
  const ids: string[] = []
  for (const pool of ['gpu', '', 'gpu', 'gpu', 'eu']) {
    ids.push((await it.jobs.start({ method: 'test.job', pool, priority: ids.length })).jobId)
  }
  await both.assigned(2)
  let told = await scraped(it.scheduler)
  // A look at the database that fails tells nothing.
  await until(async () => {
    told = await scraped(it.scheduler)
    return told.count('offstage_jobs') === 4
  })
  const queued = (pool: string) => told.value('offstage_jobs', jobs('test.job', 'queued', pool))
  const running = (pool: string) => told.value('offstage_jobs', jobs('test.job', 'running', pool))
  expect(['gpu', 'eu'].map(queued)).toEqual([2, 1])
  expect(['gpu', 'default'].map(running)).toEqual([1, 1])
  expect(told.count('offstage_jobs')).toBe(4)
  expect(told.count('offstage_queue_oldest_seconds')).toBe(2)
  expect(told.value('offstage_queue_oldest_seconds', of('test.job', 'eu'))).toBeGreaterThan(0)
  const slots = (pool: string, used = '') =>
    told.value(`offstage_pool_slots${used}`, { ...place, pool, lane: 'inline' })
  // Who serves two pools is told with both.
  expect(['gpu', 'default'].map((pool) => slots(pool))).toEqual([2, 6])
  expect(['gpu', 'default'].map((pool) => slots(pool, '_used'))).toEqual([2, 2])
  expect(told.value('offstage_slots', { ...place, lane: 'inline' })).toBe(6)
  expect(told.value('offstage_method_slots', of('test.job', 'gpu'))).toBe(2)
  expect(told.value('offstage_method_slots', of('test.job'))).toBe(6)
  expect(told.value('offstage_method_slots_used', of('test.job', 'gpu'))).toBe(2)
})

test('the oldest is the one that has been due longest, whatever was created first', async () => {
  await using it = await start()
  await using _ = await attachExecutor(it.address, { slots: 0 })
  const day = 24 * 3_600
  const dueFor = async (createdSeconds: number, dueSeconds: number | null) => {
    const { jobId } = await it.jobs.start({ method: 'test.job' })
    await it.database.query(
      {
        name: '',
        text: `UPDATE offstage.jobs SET create_time = now() - $2::float8 * interval '1 s',
          due_time = now() - $3::float8 * interval '1 s' WHERE id = $1::uuid`,
      },
      [jobId, createdSeconds, dueSeconds],
    )
  }
  // Scheduled for today a day ago.
  await dueFor(day, 10)
  await dueFor(300, null)
  await dueFor(100, null)
  const load = await createLoadStore(it.database).read()
  const [queue] = load?.queues ?? []
  expect(queue).toMatchObject({ queued: 3, running: 0, waiting: 0, paused: false })
  expect(Math.round((queue?.oldestMs ?? 0) / 100_000)).toBe(3)
})

test('a queue that takes too long to count is counted in part, and said to be', async () => {
  await using it = await start()
  await using _ = await attachExecutor(it.address, { slots: 0, methods: ['test.job', 'test.b'] })
  await it.jobs.startMany(Array.from({ length: 30 }, () => ({ method: 'test.job' })))
  await it.jobs.startMany(Array.from({ length: 3 }, () => ({ method: 'test.b' })))
  const store = createLoadStore(it.database, { exactMs: 1, countMax: 10 })
  // The tables are held, so that the exact count runs out of time.
  const held = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const lock = it.database.transaction(async (tx) => {
    await tx.query({ name: '', text: 'LOCK TABLE offstage.jobs IN ACCESS EXCLUSIVE MODE' })
    locked.resolve()
    await held.promise
  })
  await locked.promise
  const reading = store.read()
  const isCounting = async () => {
    const { rows } = await it.database.query({
      name: '',
      text: "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%offstage.jobs%'",
    })
    return rows.length > 0
  }
  try {
    await Promise.race([until(isCounting), reading])
  } finally {
    held.resolve()
  }
  await lock
  const load = await reading
  if (load?.exact === true) throw new Error('the exact count was in time')
  const counts = load?.queues.map(({ method, queued }) => [method, queued])
  expect(counts).toEqual([
    ['test.job', 10],
    ['test.b', 3],
  ])
})

test('a lease that ran out, and the jobs that were taken for it, are counted', async () => {
  await using it = await start()
  const lost = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  await lost.assigned(1)
  lost.cut()
  await until(async () => (await it.jobs.get(jobId)).state === JobState.JOB_STATE_QUEUED)
  const told = await scraped(it.scheduler)
  expect(told.value('offstage_scheduler_leases_lost_total')).toBe(1)
  expect(told.value('offstage_scheduler_jobs_released_total')).toBe(1)
  expect(told.value('offstage_jobs', jobs('test.job', 'queued'))).toBe(1)
  expect(told.count('offstage_executors')).toBe(0)
})
