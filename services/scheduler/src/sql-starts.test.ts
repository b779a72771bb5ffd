/** Jobs that are started inside the transaction of their caller, by SQL (row J24). */
import { randomUUID } from 'node:crypto'
import { sqlStateOf } from '@offstage/kit/database'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { newJobId } from './job-id.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { beginSqlStarts, refusalOf, startBySql } from './testing/sql-starts.ts'

const FOREVER_MS = 600_000
const [QUEUED, SUCCEEDED] = [2, 5]

test('a job that is started by SQL is found by the word of its commit alone, and runs once', async () => {
  await using it = await beginSqlStarts({ config: { claimSweepMs: FOREVER_MS } })
  const id = await it.start({ params: { order: 7, text: 'ö "q" \\ 😀' } })
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/)
  const [assignment] = await it.executor.assigned(1)
  const source = assignment?.params?.source
  expect(source?.$case === 'inline' && JSON.parse(source.value.toString())).toEqual({
    ...{ order: 7, text: 'ö "q" \\ 😀' },
  })
  if (assignment !== undefined) it.executor.succeed(assignment)
  await until(async () => (await it.jobs.get(id)).state === SUCCEEDED)
  expect(it.executor.assignments).toHaveLength(1)
  expect(await it.jobs.get(id)).toMatchObject({
    method: 'test.job',
    owner: 'sql:postgres',
    kind: 1,
  })
})

test('nothing exists of a job before its transaction commits, and nothing after a rollback', async () => {
  await using it = await beginSqlStarts({ executor: { auto: true } })
  await it.ask('CREATE TABLE public.orders (id int)')
  const fault = new Error('no')
  const lost = it.application.transaction(async (tx) => {
    await tx.query({ name: '', text: 'INSERT INTO public.orders VALUES (1)' })
    const id = await startBySql(tx)
    expect(await it.jobs.get(id).then(undefined, errorFromStatus)).toMatchObject({
      reason: 'JOB_NOT_FOUND',
    })
    throw fault
  })
  await expect(lost).rejects.toBe(fault)
  const kept = await it.application.transaction(async (tx) => {
    await tx.query({ name: '', text: 'INSERT INTO public.orders VALUES (2)' })
    return startBySql(tx)
  })
  await until(async () => (await it.jobs.get(kept)).state === SUCCEEDED)
  expect((await it.jobs.list()).jobs.map(({ jobId }) => jobId)).toEqual([kept])
  expect(await it.ask('SELECT id FROM public.orders')).toEqual([{ id: 2 }])
  expect(it.executor.assignments.map(({ jobId }) => jobId)).toEqual([kept])
})

test('what a savepoint takes back is not started, the rest of its transaction is', async () => {
  await using it = await beginSqlStarts()
  const id = await it.application.transaction(async (tx) => {
    const run = (text: string) => tx.query({ name: '', text })
    await run('SAVEPOINT one')
    await startBySql(tx)
    await run('ROLLBACK TO one')
    await refusalOf(startBySql(tx, { method: 'test.unknown' }))
    await run('ROLLBACK TO one')
    return startBySql(tx)
  })
  const [assignment] = await it.executor.assigned(1)
  expect(assignment?.jobId).toBe(id)
  expect((await it.jobs.list()).jobs).toHaveLength(1)
})

test('without a connection that listens jobs are found by the sweep, and by word again once it is back', async () => {
  await using it = await beginSqlStarts({ config: { claimSweepMs: 300 } })
  const listeners = () =>
    it.ask<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'offstage-scheduler-starts'",
    )
  await until(async () => (await listeners()).length === 1)
  const [before] = await listeners()
  await it.ask('SELECT pg_terminate_backend($1::int)', [before?.pid])
  await it.start()
  await it.executor.assigned(1)
  await until(async () => {
    const [now] = await listeners()
    return now !== undefined && now.pid !== before?.pid
  })
  await it.start()
  await it.executor.assigned(2)
})

test('many are started by one call, each with its options or all with the same, in order', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0, auto: true } })
  const startMany = async (count: number, options: readonly object[]) => {
    const params = Array.from({ length: count }, (_, n) => JSON.stringify({ n }))
    const [row] = await it.ask<{ ids: string[] }>(
      "SELECT offstage.start_jobs('', 'test.job', $1::jsonb[], $2::jsonb[]) AS ids",
      [params, options.map((each) => JSON.stringify(each))],
    )
    return row?.ids ?? []
  }
  const plain = await startMany(1_000, [])
  expect(new Set(plain).size).toBe(1_000)
  const urgent = await startMany(2, [{ priority: 5 }])
  const keyed = await startMany(2, [{ key: 'a' }, { key: 'b' }])
  const records = await Promise.all([...urgent, ...keyed].map((id) => it.jobs.get(id)))
  expect(records.map(({ priority, key }) => [priority, key])).toEqual([
    [5, ''],
    [5, ''],
    [0, 'a'],
    [0, 'b'],
  ])
  const [last] = plain.slice(-1)
  const [row] = await it.ask(
    'SELECT convert_from(params, $2) AS text FROM offstage.jobs WHERE id = $1',
    [last, 'UTF8'],
  )
  expect(row).toEqual({ text: '{"n": 999}' })
  expect(await startMany(0, [])).toEqual([])
  expect((await refusalOf(startMany(3, [{}, {}]))).message).toMatch(/^options must be one for all/)
  expect((await refusalOf(startMany(1_001, []))).message).toMatch(/^params must be at most 1000/)
})

test('arrays of any bounds and dimensions start a job for each of their elements, with its options', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const options = `[7:8]={"{\\"key\\":\\"a\\"}","{\\"key\\":\\"b\\"}"}`
  await it.ask("SELECT offstage.start_jobs('', 'test.job', $1::jsonb[], $2::jsonb[])", [
    ...['[0:1]={1,2}', options],
  ])
  await it.ask("SELECT offstage.start_jobs('', 'test.job', '{{3,4},{5,6}}'::jsonb[])")
  const started = await it.ask(
    "SELECT convert_from(params, 'UTF8') AS params, key FROM offstage.jobs ORDER BY 1",
  )
  expect(started).toEqual([
    ...[
      { params: '1', key: 'a' },
      { params: '2', key: 'b' },
    ],
    ...['3', '4', '5', '6'].map((params) => ({ params, key: null })),
  ])
})

test('the same request id creates one job, whichever way it comes, and another start with it is refused', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  for (const requestId of ['order-7', newJobId()]) {
    const start = (params: unknown, more: object = {}) =>
      it.start({ params, options: { request_id: requestId, owner: 'ann', ...more } })
    const first = await start({ a: 1, b: 2 })
    expect(first === requestId).toBe(requestId.includes('-7') && requestId.length === 36)
    expect(await start({ b: 2, a: 1 })).toBe(first)
    const source = { $case: 'inline' as const, value: Buffer.from('{"a": 1, "b": 2}') }
    const again = await it.jobs.start(
      { method: 'test.job', requestId, params: { source } },
      { user: 'ann' },
    )
    expect(again).toMatchObject({ jobId: first, existing: true })
    const refused = await refusalOf(start({ a: 2 }))
    expect(refused).toMatchObject({ code: 'OS009' })
    expect(JSON.parse(refused.detail)).toEqual({ reason: 'REQUEST_ID_REUSED', field: 'request_id' })
    const others = await start({ a: 1, b: 2 }, { owner: 'bob' })
    expect(others).not.toBe(first)
    expect(await start({ a: 1, b: 2 }, { owner: 'bob' })).toBe(others)
  }
  expect((await it.jobs.list()).jobs).toHaveLength(4)
})

test('a request id is known again after the transaction that used it at the same time has committed', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const options = { request_id: randomUUID() }
  const { promise: committed, resolve: commit } = Promise.withResolvers<void>()
  const first = it.application.transaction(async (tx) => {
    const id = await startBySql(tx, { options })
    setTimeout(commit, 50)
    await committed
    return id
  })
  const second = await it.start({ options })
  expect(second).toBe(await first)
})

test('repeatable reads end as failed serializations where another transaction has taken the key meanwhile', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const options = { key: 'nightly' }
  const failed = it.application.transaction(async (tx) => {
    await tx.query({ name: '', text: 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ' })
    await tx.query({ name: '', text: 'SELECT 1' })
    await it.start({ options })
    await startBySql(tx, { options })
  })
  expect(sqlStateOf(await failed.catch((error) => error))).toBe('40001')
})

test('jobs are started by SQL in the database of development too', async () => {
  await using it = await setup({ config: { claimSweepMs: 100 } })
  await using executor = await attachExecutor(it.scheduler.address, {})
  const id = await startBySql(it.database, { params: [1], options: { key: 'k' } })
  const [assignment] = await executor.assigned(1)
  expect(assignment).toMatchObject({ jobId: id, key: 'k' })
  expect((await it.jobs.get(id)).state).not.toBe(QUEUED)
})

test('a transaction starts so many jobs with keys and request ids that locks are left for others, and is told so', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  await it.application.transaction(async (tx) => {
    const say = (text: string) => tx.query({ name: '', text })
    // As if it had started as many before.
    await say("SELECT set_config('offstage.starts_in_hand', '4995', true)")
    await startBySql(tx, { options: { key: 'k1', request_id: 'r1' } })
    // What is taken back has no locks either.
    await say('SAVEPOINT before')
    await startBySql(tx, { options: { key: 'k2', request_id: 'r2' } })
    await say('ROLLBACK TO before')
    await startBySql(tx, { options: { key: 'k2', request_id: 'r2' } })
    await startBySql(tx, { options: { key: 'k3' } })
    for (const options of [{ key: 'k4' }, { request_id: 'r4' }]) {
      await say('SAVEPOINT before')
      const refused = await refusalOf(startBySql(tx, { options }))
      expect(refused.message).toMatch(
        / is one too many: a transaction may start jobs with 5000 keys and request ids together/,
      )
      expect(JSON.parse(refused.detail)).toMatchObject({ field: Object.keys(options)[0] })
      await say('ROLLBACK TO before')
    }
    await startBySql(tx)
  })
  await it.start({ options: { key: 'k4', request_id: 'r4' } })
  const [row] = await it.ask<{ n: number }>('SELECT count(*)::int AS n FROM offstage.jobs')
  expect(row?.n).toBe(5)
})
