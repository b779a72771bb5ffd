/**
 * A lock has one holder, whatever dies (row E3): schedulers and executors are killed at random while jobs count under locks. What a
 * second holder would do, lose a count or be kept from writing by a fencing token, is counted in the database.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Database, openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { countUnderLock } from './cluster/lock-jobs.ts'
import { callingAs } from './guarded/access.ts'

const jobs = new URL('./cluster/lock-jobs.ts', import.meta.url)
const KILLS = Number(process.env.KILLS ?? 4)
const NAMES = ['counters/a', 'counters/b', 'counters/c']
const JOBS = 90

const TABLES = `
  CREATE TABLE public.counters (name text PRIMARY KEY, value int NOT NULL, fence bigint NOT NULL);
  INSERT INTO public.counters SELECT name, 0, 0 FROM unnest(ARRAY['${NAMES.join("','")}']) AS u(name);
  CREATE TABLE public.writes (id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL, token bigint NOT NULL);
  CREATE TABLE public.violations (name text NOT NULL, token bigint NOT NULL)`

const COUNTED = `
  SELECT c.name, c.value, (SELECT count(*)::int FROM public.writes w WHERE w.name = c.name) AS writes
  FROM public.counters c ORDER BY c.name`

async function killOneAfterAnother({ schedulers, executors }: Cluster): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const members = kill % 2 === 0 ? executors : schedulers
    const member = members[Math.floor(Math.random() * members.length)]
    await member?.process.kill('SIGKILL').catch(() => {})
    await pause(Math.random() * 500)
    await member?.restart()
  }
}

test('no count is lost under a lock, and no holder meets another, while schedulers and executors are killed', {
  timeout: 300_000,
}, async () => {
  await using cluster = await startCluster({
    jobs,
    schedulers: 3,
    executors: 3,
    envOf: (service, { databaseUrl }): NodeJS.ProcessEnv =>
      service === 'executor' ? { COUNTERS_URL: databaseUrl } : {},
  })
  await using database = await openPostgres({ url: cluster.databaseUrl, poolSize: 2 })
  await database.query({ name: '', text: TABLES })
  await using offstage = await Offstage.connect({
    scheduler: cluster.target(),
    ...callingAs('admin'),
  })
  const params = Array.from({ length: JOBS }, (_, n) => ({ name: NAMES[n % NAMES.length] ?? '' }))
  const started = await offstage.startJobs(countUnderLock, params)
  await killOneAfterAnother(cluster)
  await offstage.waitAll(started, { timeoutMs: 240_000 })
  expect(started.filter(({ isSucceeded }) => !isSucceeded).map(({ id }) => id)).toEqual([])
  expect(await rowsOf(database, 'SELECT * FROM public.violations')).toEqual([])
  const counted = await rowsOf<{ value: number; writes: number }>(database, COUNTED)
  for (const { value, writes } of counted) expect(value).toBe(writes)
  // Each of them has counted; one whose executor died behind its count did so again.
  expect(counted.reduce((sum, { writes }) => sum + writes, 0)).toBeGreaterThanOrEqual(JOBS)
  // Later holders have higher tokens.
  const disorder = `SELECT FROM public.writes a JOIN public.writes b ON b.name = a.name AND b.id > a.id AND b.token < a.token`
  expect(await rowsOf(database, disorder)).toEqual([])
})

async function rowsOf<Row>(database: Database, text: string): Promise<Row[]> {
  return (await database.query<Row>({ name: '', text })).rows
}
