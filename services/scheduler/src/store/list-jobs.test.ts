import { randomUUID } from 'node:crypto'
import { isTransientError } from '@offstage/kit/database'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { JobFilter } from '../domain/job-query.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { previewTargets } from './bulk-targets.ts'
import { countJobs } from './count-jobs.ts'
import { listJobs } from './list-jobs.ts'

const HISTORY = `
  INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, create_time, key, labels)
  SELECT gen_random_uuid(), 'default', 'test.job', 'dev', 5, 1, 1, 0, 1, now() - i * interval '1 s',
    CASE WHEN i % 1000 = 0 THEN 'k' || i END, CASE WHEN i % 1000 = 0 THEN jsonb_build_object('n', i::text) END
  FROM generate_series(100000, 1, -1) i`

test('what has an index is found among very many; what has none is given up after the time limit', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const run = (text: string) => database.query<{ seq: number }>({ name: '', text })
  for (const text of [HISTORY, 'VACUUM ANALYZE offstage.jobs']) await run(text)
  const list = (filter: JobFilter, limitMs?: number) =>
    listJobs(
      database,
      { namespace: 'default', owner: undefined },
      filter,
      { size: 10, before: undefined, view: 'basic' },
      limitMs,
    )
  const read = async () => {
    await run('SELECT pg_stat_force_next_flush()')
    const { rows } = await run(
      `SELECT (seq_tup_read + idx_tup_fetch)::int8 AS seq FROM pg_stat_user_tables WHERE relname = 'jobs'`,
    )
    return rows[0]?.seq ?? 0
  }
  const before = await read()
  expect(await list([{ field: 'key', value: 'k5000', not: false }])).toHaveLength(1)
  expect(await list([{ field: 'label', label: 'n', value: '7000', not: false }])).toHaveLength(1)
  expect(
    await list([{ field: 'created', op: '>=', time: new Date(Date.now() + 3_600_000) }]),
  ).toEqual([])
  expect(await list([{ field: 'state', value: 'running', not: false }])).toEqual([])
  expect((await read()) - before).toBeLessThan(20_000)
  const rare: JobFilter = [{ field: 'method', value: 'rare', not: false }]
  expect(await list(rare, 1)).toBeUndefined()
  // The limit was that listing's alone.
  expect(await list(rare)).toEqual([])
})

/** Ann's have children, keys and labels; the parents of bob's are others. */
const OF_TWO = `
  INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, create_time, key, parent_id, labels)
  SELECT gen_random_uuid(), CASE WHEN i % 100 = 1 THEN 'elsewhere' ELSE 'default' END, 'test.job',
    CASE WHEN i % 100 = 0 THEN 'bob' ELSE 'ann' END, 5, 1, 1, 0, 1, now(),
    CASE WHEN i % 100 > 1 THEN 'nightly' END, CASE WHEN i % 100 > 1 THEN $1::uuid END,
    jsonb_build_object('tenant', CASE WHEN i % 100 > 1 THEN 'acme' ELSE 'own' END)
  FROM generate_series(1, 20000) i`

test('a listing, count or bulk verb by parent, key or label reads none of the jobs that others have of it', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const [parent, none] = [randomUUID(), randomUUID()]
  await database.query({ name: '', text: OF_TWO }, [parent])
  await database.query({ name: '', text: 'VACUUM ANALYZE offstage.jobs' })
  const run = (text: string) => database.query<{ seq: number }>({ name: '', text })
  const read = async () => {
    await run('SELECT pg_stat_force_next_flush()')
    const { rows } = await run(
      `SELECT (seq_tup_read + idx_tup_fetch)::int8 AS seq FROM pg_stat_user_tables WHERE relname = 'jobs'`,
    )
    return rows[0]?.seq ?? 0
  }
  const ask = async (namespace: string, owner: string, filter: JobFilter) => {
    const scope = { namespace, owner }
    const before = await read()
    const page = { size: 10, before: undefined, view: 'basic' } as const
    const found = await listJobs(database, scope, filter, page)
    const [counted] = (await countJobs(database, scope, filter, [], 10)) ?? []
    const selected = await previewTargets(database, scope, 'delete', filter)
    const counts = [counted?.count, selected?.count]
    return { found: found?.length, counts, read: (await read()) - before }
  }
  const is = (field: 'parent' | 'key' | 'method', ...values: string[]): JobFilter =>
    values.map((value) => ({ field, value, not: false }))
  const tenant = (...values: string[]): JobFilter =>
    values.map((value) => ({ field: 'label', label: 'tenant', value, not: false }))
  const ended: JobFilter = [{ field: 'state', value: 'succeeded', not: false }]
  const filters: [ofAnn: JobFilter, ofNobody: JobFilter][] = [
    [is('parent', parent), is('parent', none)],
    [is('key', 'nightly'), is('key', 'none')],
    [is('parent', none, parent), is('parent', none, randomUUID())],
    [is('key', 'none', 'nightly'), is('key', 'none', 'nought')],
    [tenant('acme'), tenant('none')],
    [tenant('acme', 'none'), tenant('none', 'nought')],
    [
      [...ended, ...is('method', 'test.job'), ...tenant('acme')],
      [...ended, ...is('method', 'test.job'), ...tenant('none')],
    ],
  ]
  for (const [ofAnn, ofNobody] of filters) {
    expect(await ask('default', 'ann', ofAnn)).toMatchObject({
      found: 10,
      counts: [19_600, 19_600],
    })
    for (const [namespace, owner] of [
      ['default', 'bob'],
      ['elsewhere', 'ann'],
      ['default', 'eve'],
    ] as const) {
      const ofNone = await ask(namespace, owner, ofNobody)
      expect(ofNone.found).toBe(0)
      expect(
        await ask(namespace, owner, ofAnn),
        `${owner} in ${namespace}: ${JSON.stringify(ofAnn)}`,
      ).toEqual(ofNone)
    }
  }
})

test('a listing that somebody cancels in the database is no fault of its filter: it may be tried again', async () => {
  await using database = await openFreshDatabase({ poolSize: 3 })
  await database.transaction(async (tx) => {
    await tx.query({ name: '', text: 'LOCK TABLE offstage.jobs' })
    const scope = { namespace: 'default', owner: undefined }
    const page = { size: 10, before: undefined, view: 'basic' } as const
    const listing = listJobs(database, scope, [], page, 60_000).catch((error) => error)
    const text = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND datname = current_database()`
    await until(async () => (await database.query({ name: '', text })).rows.length > 0)
    expect(isTransientError(await listing)).toBe(true)
  })
})
