import { status } from '@grpc/grpc-js'
import type { Database } from '@offstage/kit/database'
import { openPostgres } from '@offstage/kit/database'
import type { JobEvent } from '@offstage/proto/jobs'
import { startPostgres, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { openWatch } from './testing/watch.ts'

const job = { method: 'test.job' }
const config = { sessionLeaseMs: 2_000, claimSweepMs: 200, waitSweepMs: 200, dueSweepMs: 50 }

/** A scheduler over a PostgreSQL server of its own, which may be stopped. */
async function start() {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres())
  const url = await postgres.createDatabase()
  const database: Database = stack.use(await openPostgres({ url, poolSize: 4 }))
  const bundle = stack.use(await setup({ database, config }))
  const rest = stack.move()
  return {
    ...bundle,
    postgres,
    address: bundle.scheduler.address,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

const kinds = (events: readonly JobEvent[]) => events.map(({ event }) => event?.$case)

test('a watch ends with DATABASE_UNAVAILABLE when its read fails, and a new one goes on', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 1)
  await it.postgres.stop('immediate')
  // The sweep cannot read either, so it is another watch that finds out.
  using late = openWatch(it.jobs.raw)
  late.say({ add: [{ jobId }] })
  await until(() => late.ended, { what: 'the end of a watch without a database' })
  expect(late.error?.code).toBe(status.UNAVAILABLE)
  expect(late.error?.details).toContain('the database cannot be reached')
  await it.postgres.start()
  executor.say({ progress: [{ jobId, attempt: 1, progress: { percent: 7, revision: 1 } }] })
  executor.succeed(...assignments)
  using anew = openWatch(it.jobs.raw)
  anew.say({ add: [{ jobId }] })
  anew.halfClose()
  await until(() => anew.ended, { timeoutMs: 20_000 })
  expect(anew.error).toBeUndefined()
  expect(kinds(anew.events).at(-1)).toBe('completion')
  // The first had nothing to read while the database was away: it was told in time.
  await until(() => watch.ended || kinds(watch.events).at(-1) === 'completion')
})

test('connections cut under the reads of a watch end the watch at most, never the scheduler', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  const assignments = await executor.assigned(1)
  using watch = openWatch(it.jobs.raw)
  watch.say({ add: [{ jobId }] })
  await until(() => watch.events.length === 1)
  const admin = await openPostgres({
    url: it.postgres.url,
    poolSize: 1,
    applicationName: 'the knife',
  })
  await using _admin = admin
  const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> 'the knife'`
  for (let revision = 1; revision < 2_000 && !watch.ended; revision += 1) {
    executor.say({ progress: [{ jobId, attempt: 1, progress: { percent: 1, revision } }] })
    if (revision % 3 === 0) await admin.query({ name: '', text: cut })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(watch.error?.code).toBe(status.UNAVAILABLE)
  executor.succeed(...assignments)
  // As a client does: it watches anew until it has the end, for the last cut may be noticed by the next read only.
  await until(async () => {
    using anew = openWatch(it.jobs.raw)
    anew.say({ add: [{ jobId }] })
    anew.halfClose()
    await until(() => anew.ended)
    return kinds(anew.events).at(-1) === 'completion'
  })
})
