/** Counts of jobs by state, method and minute; rights and limits are those of listings. */
import * as proto from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countJobs } from './store/count-jobs.ts'
import { ask } from './testing/ask.ts'
import type { Draft } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'

const { JOB_DIMENSION_STATE, JOB_DIMENSION_METHOD, JOB_DIMENSION_CREATE_MINUTE } =
  proto.JobDimension

let it: Awaited<ReturnType<typeof start>>
let executor: ScriptedExecutor
beforeAll(async () => {
  it = await start()
  executor = await attachExecutor(it.address, { methods: ['a', 'b'], slots: 1 })
  await it.jobs.start({ method: 'a' })
  executor.succeed(...(await executor.assigned(1)))
  await it.jobs.start({ method: 'a' }, { user: 'ann' })
  await it.jobs.start({ method: 'a', labels: { x: 'y' } }, { user: 'ann' })
  await it.jobs.start({ method: 'b' })
  await executor.assigned(2)
  await until(async () => (await count({ by: [JOB_DIMENSION_STATE] })).length === 3)
})
afterAll(async () => {
  executor.cut()
  await it[Symbol.asyncDispose]()
})

async function count(request: Draft<proto.CountJobsRequest>, user?: string) {
  const { raw } = it.jobs
  return (await ask(raw, raw.countJobs, proto.CountJobsRequest, request, user)).counts
}

test('jobs are counted by nothing, by one thing, and by combinations', async () => {
  const all = { state: 0, method: '', createMinute: undefined }
  expect(await count({})).toEqual([{ ...all, count: 4n }])
  expect(await count({ by: [JOB_DIMENSION_METHOD] })).toEqual([
    { ...all, method: 'a', count: 3n },
    { ...all, method: 'b', count: 1n },
  ])
  expect(await count({ by: [JOB_DIMENSION_STATE, JOB_DIMENSION_METHOD] })).toEqual([
    { ...all, method: 'a', state: 2, count: 1n },
    { ...all, method: 'a', state: 3, count: 1n },
    { ...all, method: 'a', state: 5, count: 1n },
    { ...all, method: 'b', state: 2, count: 1n },
  ])
})

test('minutes begin at their first second, the newest first', async () => {
  const text = `UPDATE offstage.jobs SET create_time = '2020-02-02T02:02:59.9Z' WHERE method = 'b'`
  await it.database.query({ name: '', text }, [])
  const counts = await count({ by: [JOB_DIMENSION_CREATE_MINUTE] })
  expect(counts.at(-1)).toMatchObject({
    createMinute: new Date('2020-02-02T02:02:00Z'),
    count: 1n,
  })
  expect(counts.reduce((sum, one) => sum + one.count, 0n)).toBe(4n)
})

test('a filter narrows what is counted, and nobody counts the jobs of others', async () => {
  expect(await count({ filter: { labels: { x: 'y' } } })).toMatchObject([{ count: 1n }])
  expect(await count({ filter: { owner: 'ann' } })).toMatchObject([{ count: 2n }])
  expect(await count({ filter: { text: 'owner:ann age:<1h' } })).toMatchObject([{ count: 2n }])
  expect(await count({ filter: { owner: 'dev', text: 'label.x:y' } })).toEqual([])
  expect(await count({}, 'ann')).toMatchObject([{ count: 2n }])
  expect(await count({ filter: { owner: 'dev' } }, 'ann')).toEqual([])
  expect(await count({}, 'bob')).toEqual([])
})

test('what cannot be counted by is refused, naming it', async () => {
  await expect(count({ by: [7 as proto.JobDimension] })).rejects.toThrow(/by\[0\] is not a known/)
  await expect(count({ by: [0] })).rejects.toThrow(/by\[0\] is not a known value/)
  await expect(count({ by: [1, 2, 1] })).rejects.toThrow(/by\[2\] is there twice/)
  await expect(count({ filter: { kinds: [9 as proto.JobKind] } })).rejects.toThrow(/filter\.kinds/)
})

test('counting is given up after its time limit', async () => {
  const many = `INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner)
    SELECT gen_random_uuid(), 'full', 'm', 5, 1, 1, 0, 1, 'x' FROM generate_series(1, 100000)`
  await it.database.query({ name: '', text: many }, [])
  const scope = { namespace: 'full', owner: undefined }
  expect(await countJobs(it.database, scope, [], ['state'], 10, 1)).toBeUndefined()
  expect(await countJobs(it.database, scope, [], ['state'], 10)).toMatchObject([{ count: 100_000 }])
})
