/** What holds back jobs that were started by SQL: the same gates as for all, and what SQL cannot evaluate is found out by the scheduler. */
import { WaitCause } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { beginSqlStarts, refusalOf } from './testing/sql-starts.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const FOREVER_MS = 600_000
const [QUEUED, FAILED] = [2, 6]
const perTenant = { method: 'test.job', keyExpression: 'params.tenant' }

const limit = (address: string, ...limits: object[]) =>
  updateNamespace(address, { limits }, { mask: ['limits'] })

test('a paused method begins no job that is started by SQL until it is resumed', async () => {
  await using it = await beginSqlStarts()
  using operator = connectNamespaces(it.address)
  await operator.pauseMethod('test.job')
  const id = await it.start()
  await it.start({ options: { pool: 'none' } })
  expect((await it.jobs.explain(id)).cause).toBe(WaitCause.WAIT_CAUSE_PAUSED)
  expect(it.executor.assignments).toEqual([])
  await operator.resumeMethod('test.job')
  const [assignment] = await it.executor.assigned(1)
  expect(assignment?.jobId).toBe(id)
})

test('no more run at once than the limit says, and a full queue refuses more', async () => {
  await using it = await beginSqlStarts()
  await limit(it.address, { method: 'test.job', maxConcurrency: 1, maxQueued: 2 })
  await it.start()
  const [running] = await it.executor.assigned(1)
  await it.start()
  await it.start()
  const refused = await refusalOf(it.start())
  expect(refused).toMatchObject({ code: 'OS010' })
  expect(JSON.parse(refused.detail)).toMatchObject({ reason: 'QUEUE_FULL', max: 2 })
  for (const options of [{ delay_ms: FOREVER_MS }, { key: 'k' }]) {
    expect(await refusalOf(it.start({ options }))).toMatchObject({ code: 'OS010' })
  }
  expect(it.executor.assignments).toHaveLength(1)
  if (running !== undefined) it.executor.succeed(running)
  await it.executor.assigned(2)
  await it.start({ options: { delay_ms: FOREVER_MS } })
  expect(await refusalOf(it.start())).toMatchObject({ code: 'OS010' })
})

test('a limit for each value of a key expression counts those by SQL by their value, found out on the word of their commit', async () => {
  await using it = await beginSqlStarts({ config: { dueSweepMs: FOREVER_MS } })
  await limit(it.address, { ...perTenant, maxConcurrency: 1 })
  const ids = new Map<string, string>()
  for (const name of ['a1', 'a2', 'b1']) {
    ids.set(await it.start({ params: { tenant: name.slice(0, 1) } }), name)
  }
  const running = await it.executor.assigned(2)
  expect(running.map(({ jobId }) => ids.get(jobId)).toSorted()).toEqual(['a1', 'b1'])
  const ofA = running.find(({ jobId }) => ids.get(jobId) === 'a1')
  if (ofA !== undefined) it.executor.succeed(ofA)
  const [, , third] = await it.executor.assigned(3)
  expect(ids.get(third?.jobId ?? '')).toBe('a2')
  const rows = await it.ask('SELECT limit_key FROM offstage.jobs ORDER BY limit_key')
  expect(rows).toEqual([{ limit_key: 'a' }, { limit_key: 'a' }, { limit_key: 'b' }])
})

test('without that word the sweep finds them, on whatever replica, and each is queued once', async () => {
  await using it = await beginSqlStarts({ listens: false })
  await limit(it.address, { ...perTenant, maxConcurrency: 5 })
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, n) => it.start({ params: { tenant: `${n}` } })),
  )
  const begun = await it.executor.assigned(10)
  it.executor.succeed(...begun)
  const all = await it.executor.assigned(20)
  expect(all.map(({ jobId }) => jobId).toSorted()).toEqual(ids.toSorted())
})

test('a start whose key expression has no value fails with the reason that StartJob would have given', async () => {
  await using it = await beginSqlStarts()
  await limit(it.address, { ...perTenant, maxConcurrency: 1 })
  const id = await it.start({ params: {} })
  const { statuses } = await it.jobs.wait([id])
  expect(statuses[0]?.completion?.error).toMatchObject({ reason: 'LIMIT_KEY_INVALID' })
  expect((await it.jobs.get(id)).state).toBe(FAILED)
  const later = await refusalOf(it.start({ params: { tenant: 'a' }, options: { delay_ms: 1e9 } }))
  expect(later).toMatchObject({ code: 'OS011' })
  const options = { key: 'k', key_conflict_policy: 'queue-behind' }
  await it.start({ params: { tenant: 'a' }, options })
  const behind = await refusalOf(it.start({ params: { tenant: 'a' }, options }))
  expect(behind).toMatchObject({ code: 'OS011' })
})

test('limits that are taken away meanwhile keep nobody waiting', async () => {
  await using it = await beginSqlStarts({ listens: false, config: { dueSweepMs: 100 } })
  await limit(it.address, { ...perTenant, maxConcurrency: 1 })
  const id = await it.start({ params: {}, options: { labels: { a: 'b' } } })
  await limit(it.address)
  await until(async () => (await it.jobs.get(id)).state !== 1)
  expect([QUEUED, 3, FAILED]).toContain((await it.jobs.get(id)).state)
})

test('while executors differ in the schema of a method, a job by SQL goes to one that takes its parameters', async () => {
  const schema = (name: string) => ({
    definitions: [
      {
        name: 'test.job',
        paramsSchema: JSON.stringify({ type: 'object', required: [name] }),
      },
    ],
  })
  await using it = await beginSqlStarts({ executor: schema('old') })
  await using newer = await attachExecutor(it.address, schema('new'))
  const old = await it.start({ params: { old: 1 } })
  const young = await it.start({ params: { new: 1 } })
  const neither = await it.start({ params: { none: 1 } })
  const [first] = await it.executor.assigned(1)
  const [second] = await newer.assigned(1)
  expect([first?.jobId, second?.jobId]).toEqual([old, young])
  const { statuses } = await it.jobs.wait([neither])
  expect(statuses[0]?.completion?.error).toMatchObject({ reason: 'PARAMS_INVALID' })
})
