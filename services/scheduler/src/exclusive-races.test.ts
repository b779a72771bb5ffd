/** Exclusive mode is strict (row L10): counted in the database, nothing of others runs within it, whoever starts it and wherever. */
import { setTimeout as delay } from 'node:timers/promises'
import { createInProcessBus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { durationFrom } from '@offstage/proto/durations'
import type { JobSpec } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { Draft } from './testing/draft.ts'
import { openFreshDatabase } from './testing/fresh-database.ts'
import { connectLeases } from './testing/leases.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const PERIODS = 50
/** Between the starts of one: they are to meet what happens, not to wear it out. */
const PAUSE_MS = 2
const methods = ['test.job', 'test.limited']
const config = { claimSweepMs: 50, dueSweepMs: 20 }

/** Of one replica that hears nothing of the others. */
async function replica(database: Database) {
  const stack = new AsyncDisposableStack()
  const bus = stack.use(createInProcessBus())
  const it = stack.use(await setup({ database, bus, config }))
  stack.use(await attachExecutor(it.scheduler.address, { methods, auto: true, slots: 20 }))
  return { ...it, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Of every kind there is. */
function startOf(round: number): Draft<JobSpec> {
  const kinds: Draft<JobSpec>[] = [
    { method: 'test.job' },
    { method: 'test.job', key: 'k', keyConflictPolicy: 3 },
    { method: 'test.job', delay: durationFrom(1) },
    { method: 'test.job', automatic: true, labels: { automatic: 'yes' } },
    { method: 'test.limited' },
  ]
  return kinds[round % kinds.length] ?? {}
}

test('nothing of others runs within fifty periods, though three replicas and SQL start jobs all the time', {
  timeout: 240_000,
}, async () => {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await openFreshDatabase({ poolSize: 24 }))
  const replicas = [
    stack.use(await replica(database)),
    stack.use(await replica(database)),
    stack.use(await replica(database)),
  ]
  const address = replicas[0]?.scheduler.address ?? ''
  await updateNamespace(address, { limits: [{ method: 'test.limited', maxConcurrency: 5 }] })
  const leases = stack.use(connectLeases(address))
  const over = new AbortController()
  let [started, refused] = [0, 0]
  const starting = replicas.map(async ({ jobs }) => {
    for (let round = 0; !over.signal.aborted; round++) {
      await jobs.start(startOf(round)).then(
        () => started++,
        () => refused++,
      )
      await delay(PAUSE_MS)
    }
  })
  const byHand = `SELECT offstage.start_job('default', 'test.job', '{}', '{"labels": {"sql": "yes"}}')`
  const bySql = async () => {
    while (!over.signal.aborted) {
      await database
        .transaction(async (tx) => {
          await tx.query({ name: '', text: byHand })
          await tx.query({ name: '', text: 'SELECT pg_sleep(0.003)' })
        })
        .then(
          () => started++,
          () => refused++,
        )
    }
  }
  const periods: { since: Date; until: Date }[] = []
  const all = Promise.all([...starting, bySql()])
  try {
    const { leaseId } = await leases.create()
    for (let period = 0; period < PERIODS; period++) {
      const before = started
      const { exclusiveTime: since } = await leases.enter({
        leaseId,
        timeout: durationFrom(30_000),
      })
      const own = replicas[period % 3]?.jobs.start(
        { method: 'test.job', leaseId },
        { waitMs: 5_000 },
      )
      expect((await own)?.completion).toBeDefined()
      const { rows } = await database.query<{ now: Date }>({
        name: '',
        text: 'SELECT clock_timestamp() AS now',
      })
      if (since !== undefined && rows[0] !== undefined) periods.push({ since, until: rows[0].now })
      await leases.leave({ leaseId })
      await until(() => started > before)
    }
  } finally {
    over.abort()
    await all
  }
  const during = (what: string) => ({
    name: '',
    text: `SELECT count(*)::int AS count FROM offstage.jobs j
      JOIN unnest($1::timestamptz[], $2::timestamptz[]) AS p(since, until) ON ${what}
      WHERE j.exclusive_lease IS NULL`,
  })
  const count = async (what: string) => {
    const values = [periods.map(({ since }) => since), periods.map(({ until }) => until)]
    return (await database.query<{ count: number }>(during(what), values)).rows[0]?.count
  }
  expect(periods).toHaveLength(PERIODS)
  expect([started > PERIODS, refused > 0]).toEqual([true, true])
  expect(await count('j.start_time BETWEEN p.since AND p.until')).toBe(0)
  expect(
    await count('j.start_time < p.until AND (j.finish_time > p.since OR j.state IN (3, 4))'),
  ).toBe(0)
  expect(await count('j.create_time BETWEEN p.since AND p.until AND j.labels IS NULL')).toBe(0)
})
