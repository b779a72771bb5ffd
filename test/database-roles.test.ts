/** The services under the roles of deploy/postgres/roles.sql. */
import { readFile } from 'node:fs/promises'
import { openPostgres, sqlStateOf } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { spawnProcess, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { double, family, sleep, turnRound } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const ROLES = new URL('../deploy/postgres/roles.sql', import.meta.url)
const DENIED = '42501'
const START = `SELECT offstage.start_job('', 'cluster.double', '{"n": 7}') AS id`

async function ask(url: string, text: string): Promise<unknown> {
  await using database = await openPostgres({ url, poolSize: 1 })
  return database.query({ name: '', text }).then(
    ({ rows }) => rows,
    (error) => sqlStateOf(error) ?? error,
  )
}

const as = (role: string, url: string) => url.replace('postgres@', `${role}@`)

/** Runs a program of a service to its end: its exit code and what it said. */
async function run(service: 'scheduler' | 'storage', program: string, url: string) {
  const main = new URL(`../services/${service}/src/${program}.ts`, import.meta.url)
  const env = {
    [`OFFSTAGE_${service.toUpperCase()}_DATABASE_URL`]: url,
    [`OFFSTAGE_${service.toUpperCase()}_PORT`]: '0',
    OFFSTAGE_STORAGE_DATA_DIR: '/tmp/offstage-never-made',
    OFFSTAGE_NATS_URL: 'nats://127.0.0.1:1',
  }
  const child = await spawnProcess({ main, env, ready: /"configuration"/ })
  const { code } = await child.exited
  return { code, text: child.stderr }
}

async function prepare(url: string): Promise<void> {
  for (let time = 0; time < 2; time += 1) {
    expect(await ask(url, await readFile(ROLES, 'utf8'))).toEqual([])
  }
  for (const service of ['scheduler', 'storage'] as const) {
    const early = await run(service, 'main', as(`offstage_${service}`, url))
    expect(early.code).toBe(78)
    expect(early.text).toMatch(/_DATABASE_URL: .*may not bring it there.*run the migrations first/)
    expect((await run(service, 'migrate', as('offstage_migrator', url))).code).toBe(0)
    expect((await run(service, 'migrate', as('offstage_migrator', url))).code).toBe(0)
  }
}

test('services do all their work under roles that can do no more', {
  timeout: 180_000,
}, async () => {
  await using cluster = await startCluster({
    jobs,
    schedulers: 1,
    executors: 1,
    storage: true,
    postgres: {},
    prepareDatabase: prepare,
    envOf: (service, { databaseUrl }): NodeJS.ProcessEnv => ({
      [`OFFSTAGE_${service.toUpperCase()}_DATABASE_URL`]: as(`offstage_${service}`, databaseUrl),
    }),
  })
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect(places)
  expect(await offstage.run(family, { n: 21 })).toBe(42)
  const text = 'large '.repeat(100_000)
  expect((await offstage.run(turnRound, { text })).text).toHaveLength(text.length)
  await using operator = await Offstage.connect({ ...places, ...callingAs('operator') })
  await operator.pauseMethod('cluster.double')
  const held = await offstage.startJob(double, { n: 1 })
  await operator.resumeMethod('cluster.double')
  expect((await held.waitForCompletion()).state).toBe('succeeded')
  const asleep = await offstage.startJob(sleep, { forMs: 600_000 })
  await until(async () => (await asleep.refresh()).state === 'running')
  await asleep.cancel({ graceMs: 0 })
  expect((await asleep.waitForCompletion()).state).toBe('canceled')

  const { databaseUrl, postgres } = cluster
  // As after an update: what the migrations have made meanwhile is given no more than it was.
  await ask(databaseUrl, await readFile(ROLES, 'utf8'))
  await ask(databaseUrl, 'CREATE ROLE shop LOGIN; GRANT offstage_starter TO shop')
  const started = await ask(as('shop', databaseUrl), START)
  const [{ id = '' } = {}] = started as { id?: string }[]
  // The job is the login's.
  await using admin = await Offstage.connect({ ...places, ...callingAs('admin') })
  expect(await admin.job(id).value()).toBe(14)
  const [early, ...late] = postgres.log.split('database system is ready')
  expect(early).not.toContain('permission denied')
  const denied = late.join().match(/permission denied .*/g) ?? []
  expect(denied.every((line) => /for (schema|database)/.test(line))).toBe(true)

  const forbidden = {
    offstage_scheduler: ['offstage', 'jobs', 'offstage_storage.identity'],
    offstage_storage: ['offstage_storage', 'identity', 'offstage.jobs'],
  }
  for (const statement of ['SELECT FROM offstage.jobs', 'SELECT FROM offstage.sql_starters']) {
    expect(await ask(as('shop', databaseUrl), statement), statement).toBe(DENIED)
  }
  const widened = "INSERT INTO offstage.sql_starters VALUES ('shop')"
  expect(await ask(as('offstage_scheduler', databaseUrl), widened)).toBe(DENIED)
  expect(await ask(as('offstage_storage', databaseUrl), START)).toBe(DENIED)
  for (const [role, [schema, table, others]] of Object.entries(forbidden)) {
    const url = as(role, databaseUrl)
    expect(await ask(url, `SELECT count(*)::int AS n FROM ${schema}.${table}`)).toHaveLength(1)
    for (const statement of [
      `SELECT 1 FROM ${others}`,
      `ALTER TABLE ${schema}.${table} ADD COLUMN x int`,
      `DROP TABLE ${schema}.${table}`,
      `TRUNCATE ${schema}.${table}`,
      `CREATE TABLE ${schema}.mine (x int)`,
      'CREATE TABLE public.mine (x int)',
      'CREATE TEMP TABLE mine (x int)',
      'CREATE SCHEMA mine',
      `UPDATE ${schema}.offstage_migrations SET name = 'x'`,
    ]) {
      expect(await ask(url, statement), `${role}: ${statement}`).toBe(DENIED)
    }
  }
})
