/** Parameters are checked at the start by what executors announced of the method (row J2). */
import { status } from '@grpc/grpc-js'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { type JobClient, setup } from './testing/setup.ts'

const REPORT = {
  type: 'object',
  properties: {
    title: { type: 'string', maxLength: 20 },
    day: { type: 'string', format: 'date' },
    rows: { type: 'array', items: { $ref: '#/$defs/row' } },
  },
  required: ['title'],
  additionalProperties: false,
  $defs: { row: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } },
}

const announcing = (schema: unknown, name = 'test.job') => ({
  definitions: [{ name, paramsSchema: JSON.stringify(schema) }],
})
const job = (params: unknown, method = 'test.job') => ({ method, params: inline(params) })
const inline = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})
const refusalOf = (jobs: JobClient, spec: Parameters<JobClient['start']>[0]) =>
  jobs.start(spec).then(() => undefined, errorFromStatus)

test('a wrong parameter is refused with the fields named, and nothing is stored', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, announcing(REPORT))
  const rows = [{ name: 'a' }, { name: 7 }, {}]
  const refused = await refusalOf(it.jobs, job({ rows, day: 'secret-day', color: 'secret' }))
  expect(refused).toMatchObject({ reason: 'PARAMS_INVALID', code: status.INVALID_ARGUMENT })
  const told = refused?.violations.map(({ field, description }) => ({ field, description }))
  expect(told).toEqual(
    expect.arrayContaining([
      { field: 'params.title', description: 'is missing' },
      { field: 'params.color', description: 'is not known' },
      { field: 'params.rows.1.name', description: 'must be string' },
      { field: 'params.rows.2.name', description: 'is missing' },
      { field: 'params.day', description: 'must match format "date"' },
    ]),
  )
  expect(JSON.stringify(refused?.violations)).not.toContain('secret')
  expect(refused?.message).not.toContain('secret')
  expect((await it.jobs.list()).jobs).toEqual([])
  expect(
    await it.jobs.start(job({ title: 'ok', day: '2026-02-03', rows: [{ name: 'a' }] })),
  ).toBeDefined()
})

test('no parameters are the empty object, and what is not JSON is told so', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, {
    definitions: [
      { name: 'test.job', paramsSchema: JSON.stringify(REPORT) },
      { name: 'test.any', paramsSchema: '{"type":"object"}' },
      { name: 'test.free' },
    ],
  })
  expect(await refusalOf(it.jobs, { method: 'test.job' })).toMatchObject({
    violations: [{ field: 'params.title', description: 'is missing' }],
  })
  expect(await it.jobs.start({ method: 'test.any' })).toBeDefined()
  const broken = { source: { $case: 'inline' as const, value: Buffer.from('{"a":') } }
  expect(await refusalOf(it.jobs, { method: 'test.any', params: broken })).toMatchObject({
    reason: 'PARAMS_INVALID',
    violations: [{ field: 'params', description: 'is not JSON in UTF-8' }],
  })
  expect(await it.jobs.start({ method: 'test.free', params: broken })).toBeDefined()
})

test('values at an address, bytes and texts are left to the executor', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, announcing(REPORT))
  const address = { source: { $case: 'address' as const, value: `val_${'0'.repeat(32)}` } }
  const bytes = { ...inline('x'), contentType: 'application/octet-stream' }
  const text = { ...inline('x'), contentType: 'text/plain' }
  for (const params of [address, bytes, text]) {
    expect(await it.jobs.start({ method: 'test.job', params })).toBeDefined()
  }
  const json = { ...inline('x'), contentType: 'application/json; charset=utf-8' }
  expect(await refusalOf(it.jobs, { method: 'test.job', params: json })).toBeDefined()
})

test('of many starts in one call only those are refused that do not fit', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, announcing(REPORT))
  const outcomes = await it.jobs.startMany([job({ title: 'a' }), job({}), job({ title: 'b' })])
  expect(outcomes.map(({ outcome }) => outcome?.$case)).toEqual(['started', 'error', 'started'])
  const [, refused] = outcomes
  if (refused?.outcome?.$case !== 'error') throw new Error('not refused')
  expect(refused.outcome.value).toMatchObject({
    code: status.INVALID_ARGUMENT,
    message: 'the parameters do not fit test.job: params.title: is missing',
  })
  expect((await it.jobs.list()).jobs).toHaveLength(2)
})

test('many wrong fields are told up to a bound', async () => {
  await using it = await start()
  const schema = { type: 'array', items: { type: 'string' } }
  await using _executor = await attachExecutor(it.address, announcing(schema))
  const refused = await refusalOf(it.jobs, job(Array.from({ length: 10_000 }, (_, n) => n)))
  expect(refused?.violations).toHaveLength(10)
})

test('each namespace goes by its own executors', async () => {
  await using it = await start()
  await using _strict = await attachExecutor(it.address, announcing(REPORT))
  await using _free = await attachExecutor(it.address, {
    ...announcing({ type: 'object' }),
    namespace: 'team',
  })
  expect(await refusalOf(it.jobs, job({}))).toMatchObject({ reason: 'PARAMS_INVALID' })
  expect(await it.jobs.start(job({}), { namespace: 'team' })).toBeDefined()
})

test('a scheduler that has just started knows the schema from the database', async () => {
  await using it = await start()
  await using _executor = await attachExecutor(it.address, announcing(REPORT))
  await using other = await setup({ database: it.database })
  expect(await refusalOf(other.jobs, job({}))).toMatchObject({ reason: 'PARAMS_INVALID' })
})

// Until what was announced is forgotten these two only wait.
test.concurrent('a start that is said again is answered as the first, whatever was announced since', async ({
  expect,
}) => {
  await using it = await start()
  const old = await attachExecutor(it.address, announcing(true))
  const first = await it.jobs.start({ ...job({ rows: [] }), requestId: 'once' })
  old.leave({ draining: true })
  await expect.poll(() => old.ended).toBe(true)
  await using _new = await attachExecutor(it.address, announcing(REPORT))
  await expect
    .poll(() => refusalOf(it.jobs, job({})), { timeout: 30_000, interval: 200 })
    .toBeDefined()
  const again = await it.jobs.start({ ...job({ rows: [] }), requestId: 'once' })
  expect(again).toMatchObject({ jobId: first.jobId, existing: true })
})

const OLD = { type: 'object', required: ['old'] }
const NEW = { type: 'object', required: ['new'] }

test.concurrent('what only an executor that is gone could run goes to those that are left', async ({
  expect,
}) => {
  await using it = await start()
  const old = await attachExecutor(it.address, { ...announcing(OLD), slots: 1 })
  await using fresh = await attachExecutor(it.address, { ...announcing(NEW), slots: 5 })
  await it.jobs.start(job({ old: 0 }))
  const left = await it.jobs.start(job({ old: 1 }))
  await old.assigned(1)
  await old[Symbol.asyncDispose]()
  await expect
    .poll(() => fresh.assignments.map(({ jobId }) => jobId), { timeout: 30_000 })
    .toContain(left.jobId)
  await expect
    .poll(() => refusalOf(it.jobs, job({ old: 2 })), { timeout: 30_000 })
    .toMatchObject({ reason: 'PARAMS_INVALID' })
})

test('what a newer executor on another replica takes is not given to an older one before that replica is heard of', async () => {
  await using it = await start()
  await using other = await setup({ database: it.database })
  await using old = await attachExecutor(it.address, { ...announcing(OLD), slots: 0 })
  const { address } = other.scheduler
  await using fresh = await attachExecutor(address, { ...announcing(NEW), slots: 0 })
  const young = await other.jobs.start(job({ new: 1 }))
  const aged = await other.jobs.start(job({ old: 1 }))
  old.say({ credits: [{ lane: 1, slots: 2 }] })
  await old.assigned(1)
  fresh.say({ credits: [{ lane: 1, slots: 2 }] })
  await fresh.assigned(1)
  expect(old.assignments.map(({ jobId }) => jobId)).toEqual([aged.jobId])
  expect(fresh.assignments.map(({ jobId }) => jobId)).toEqual([young.jobId])
})

test('in a rolling update a start that fits either is taken, and goes to one that can run it', async () => {
  await using it = await start()
  await using old = await attachExecutor(it.address, { ...announcing(OLD), slots: 20 })
  await using fresh = await attachExecutor(it.address, { ...announcing(NEW), slots: 20 })
  for (let n = 0; n < 5; n += 1) {
    await it.jobs.start(job({ old: n }))
    await it.jobs.start(job({ new: n }))
  }
  expect(await refusalOf(it.jobs, job({}))).toMatchObject({
    violations: [{ field: 'params.new', description: 'is missing' }],
  })
  const paramsOf = (assignments: Awaited<ReturnType<typeof old.assigned>>) =>
    assignments.map(({ params }) => String(params?.source?.value))
  expect(paramsOf(await old.assigned(5))).toEqual([0, 1, 2, 3, 4].map((n) => `{"old":${n}}`))
  expect(paramsOf(await fresh.assigned(5))).toEqual([0, 1, 2, 3, 4].map((n) => `{"new":${n}}`))
})

test('queued jobs too wait for an executor that can run them, on whichever replica', async () => {
  await using it = await start()
  await using other = await setup({ database: it.database, config: { claimSweepMs: 200 } })
  await using old = await attachExecutor(it.address, { ...announcing(OLD), slots: 1 })
  await using fresh = await attachExecutor(other.scheduler.address, {
    ...announcing(NEW),
    slots: 3,
  })
  const blocked = await it.jobs.start(job({ old: 0 }))
  for (const n of [1, 2, 3]) await it.jobs.start(job({ new: n }))
  await it.jobs.start(job({ old: 4 }))
  expect(
    (await fresh.assigned(3)).map(({ params }) => String(params?.source?.value)).sort(),
  ).toEqual(['{"new":1}', '{"new":2}', '{"new":3}'])
  const [first] = await old.assigned(1)
  expect(first?.jobId).toBe(blocked.jobId)
  // Free again, the new one does not take what is for the old one.
  fresh.succeed(...fresh.assignments)
  if (first !== undefined) old.succeed(first)
  expect(String((await old.assigned(2))[1]?.params?.source?.value)).toBe('{"old":4}')
  expect(fresh.assignments).toHaveLength(3)
})

test('an executor without a schema takes anything beside one that has one', async () => {
  await using it = await start()
  await using free = await attachExecutor(it.address, { slots: 5 })
  await using strict = await attachExecutor(it.address, { ...announcing(REPORT), slots: 5 })
  const odd = await it.jobs.start(job({ odd: true }))
  expect((await free.assigned(1))[0]?.jobId).toBe(odd.jobId)
  expect(strict.assignments).toEqual([])
})
