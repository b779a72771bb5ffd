/** Limits on the jobs of a method: kept whatever happens, changed while jobs run, and told to who asks (row J20). */
import { createInProcessBus } from '@offstage/kit/bus'
import { WaitCause } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptOptions } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const job = { method: 'test.job' }
const json = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})
const ofTenant = (tenant: string) => ({ ...job, params: json({ tenant }) })
const perTenant = { method: 'test.job', keyExpression: 'params.tenant' }

async function begin(options: ScriptOptions = {}) {
  const it = await start()
  const executor = await attachExecutor(it.address, { slots: 100, ...options })
  return {
    ...it,
    executor,
    limit: (...limits: Parameters<typeof limited>[1][]) => limited(it.address, ...limits),
    async [Symbol.asyncDispose]() {
      await executor[Symbol.asyncDispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

interface Limit {
  readonly method?: string
  readonly maxConcurrency?: number
  readonly keyExpression?: string
  readonly rate?: number
  readonly burst?: number
  readonly maxQueued?: number
  readonly ratePeriod?: { readonly seconds: bigint; readonly nanos: number }
}

const limited = (address: string, ...limits: Limit[]) =>
  updateNamespace(
    address,
    { limits: limits.map((limit) => ({ method: 'test.job', ...limit })) },
    { mask: ['limits'] },
  )

test.for([
  ['PGlite', setup],
  ['PostgreSQL', start],
] as const)(
  'no more run at once than the limit of their method says, and each end lets one begin, on %s',
  async ([, open]) => {
    await using it = await open()
    const { address } = it.scheduler
    await using executor = await attachExecutor(address, { slots: 100 })
    await limited(address, { maxConcurrency: 3 })
    const started = await it.jobs.startMany(Array.from({ length: 10 }, () => job))
    const ids = started.map(({ outcome }) =>
      outcome?.$case === 'started' ? outcome.value.jobId : '',
    )
    for (let ended = 0; ended < 10; ended++) {
      const running = Math.min(ended + 3, 10)
      const assigned = await executor.assigned(running)
      expect(assigned).toHaveLength(running)
      const next = assigned[ended]
      if (next) executor.succeed(next)
    }
    expect(await it.jobs.wait(ids)).toMatchObject({ satisfied: true })
    const begun = executor.assignments.map(({ jobId }) => jobId)
    expect(begun.toSorted()).toEqual(ids.toSorted())
    // Some of them begin as they are recorded, unless something was believed to be queued; the others in the order of the queue.
    expect(begun.slice(3)).toEqual(begun.slice(3).toSorted())
  },
)

/** A scheduler that looks for nothing by itself, and the statements it makes. */
async function beginCounting() {
  const statements: string[] = []
  let looks = 0
  const it = await start({
    config: { claimSweepMs: 600_000 },
    between: (database) => ({
      ...database,
      async query(statement, values) {
        statements.push(statement.name)
        try {
          return await database.query(statement, values)
        } finally {
          if (statement.name.startsWith('claim_')) looks += 1
        }
      },
    }),
  })
  /** It has looked for what may have waited for its executor; until then something may be queued, as far as it knows. */
  const looked = () => until(() => looks > 0, { what: 'the look for what waited' })
  return { ...it, statements, looked }
}

test('while as many run as may no slot that is free is looked for, in whichever lane: one place is one claim', async () => {
  await using it = await beginCounting()
  await using executor = await attachExecutor(it.address, { slots: 100, taskSlots: 100 })
  await it.looked()
  await limited(it.address, { maxConcurrency: 2 })
  await it.jobs.startMany(Array.from({ length: 12 }, () => job))
  await executor.assigned(2)
  it.statements.length = 0
  for (let ended = 0; ended < 10; ended++) {
    const [next] = executor.assignments.slice(ended)
    if (next) executor.succeed(next)
    await executor.assigned(ended + 3)
  }
  const claims = it.statements.filter((name) => name === 'claim_limited_jobs')
  expect(claims.length).toBeLessThan(15)
})

test('a start that finds room begins in the statement that records it, and one that finds others queued does not', async () => {
  await using it = await beginCounting()
  const { statements } = it
  await using executor = await attachExecutor(it.address, { slots: 100 })
  await it.looked()
  await limited(it.address, { ...perTenant, maxConcurrency: 2 }, { maxConcurrency: 3 })
  statements.length = 0
  for (let n = 0; n < 2; n++) await it.jobs.start(ofTenant('a'))
  await executor.assigned(2)
  expect(statements.filter((name) => /insert|claim/.test(name))).toEqual(
    Array(2).fill('insert_plain_limited_jobs'),
  )
  const [waiting, behind] = [
    await it.jobs.start(ofTenant('a')),
    await it.jobs.start({ ...ofTenant('b'), labels: { b: '' } }),
  ]
  // It is claimed once it has a turn of its own: nothing overtakes what is queued.
  expect(behind.state).toBe(2)
  await executor.assigned(3)
  expect(executor.assignments.at(-1)?.jobId).toBe(behind.jobId)
  expect((await it.jobs.get(waiting.jobId)).state).toBe(2)
})

test('each value of the key has a limit of its own, and the values take turns', async () => {
  await using it = await begin()
  await it.limit({ ...perTenant, maxConcurrency: 2 })
  await it.jobs.startMany(Array.from({ length: 20 }, () => ofTenant('noisy')))
  await it.executor.assigned(2)
  const [first] = [await it.jobs.start(ofTenant('quiet'))]
  const assigned = await it.executor.assigned(3)
  expect(assigned.map(({ jobId }) => jobId).at(-1)).toBe(first.jobId)
  it.executor.succeed(...assigned.slice(0, 2))
  expect((await it.executor.assigned(5)).length).toBe(5)
})

test('the limits of the method and of the key both hold', async () => {
  await using it = await begin()
  await it.limit({ maxConcurrency: 3 }, { ...perTenant, maxConcurrency: 2 })
  await it.jobs.startMany(['a', 'a', 'a', 'b', 'b', 'b'].map(ofTenant))
  await it.executor.assigned(3)
  const tenants = () =>
    it.executor.assignments.map(({ params }) => JSON.parse(`${params?.source?.value}`).tenant)
  expect(tenants().toSorted().join('')).toMatch(/^(aab|abb)$/)
})

test('a limit set while jobs are queued and run counts what runs, ends none, and is raised and taken away', async () => {
  await using it = await begin({ slots: 5 })
  await it.jobs.startMany(Array.from({ length: 9 }, () => job))
  await it.executor.assigned(5)
  await it.limit({ maxConcurrency: 3 })
  it.executor.succeed(...it.executor.assignments.slice(0, 2))
  const { jobId } = await it.jobs.start(job)
  await expect
    .poll(() => it.jobs.explain(jobId))
    .toMatchObject({
      cause: WaitCause.WAIT_CAUSE_LIMIT,
      text: expect.stringMatching(/^Of test\.job 3 jobs may run at once, and as many do; /),
      holders: it.executor.assignments
        .slice(2, 5)
        .map((assignment) => assignment.jobId)
        .toSorted(),
    })
  expect(it.executor.assignments).toHaveLength(5)
  await it.limit({ maxConcurrency: 4 })
  await it.executor.assigned(6)
  await it.limit()
  await it.executor.assigned(7)
})

test('a job that waits for its children counts on', async () => {
  await using it = await begin()
  await it.limit({ maxConcurrency: 1 })
  const { jobId } = await it.jobs.start(job)
  const next = await it.jobs.start(job)
  await it.executor.assigned(1)
  it.executor.say({
    waiting: [{ jobId, attempt: 1, waiting: true }],
    credits: [{ lane: 1, slots: 0 }],
  })
  await until(async () => (await it.jobs.get(jobId)).state === 4, { what: 'that it waits' })
  expect(await it.jobs.explain(next.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_LIMIT,
    text: 'Of test.job one job may run at once, and one does; too few began lately to tell when it will.',
    holders: [jobId],
  })
  it.executor.succeed(...it.executor.assignments)
  await it.executor.assigned(2)
})

test('a child for which its own ancestors hold the places is told so', async () => {
  await using it = await begin()
  await it.limit({ maxConcurrency: 2 })
  const first = await it.jobs.start(job)
  const second = await it.jobs.start({ ...job, parentJobId: first.jobId })
  const third = await it.jobs.start({ ...job, parentJobId: second.jobId })
  await it.executor.assigned(2)
  const text = 'Of test.job 2 jobs may run at once, and as many do.'
  expect(await it.jobs.explain(third.jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_LIMIT,
    text: `${text} All of these are above it: where they wait for it, it begins only once the limit is raised.`,
    holders: [first.jobId, second.jobId],
  })
  const sibling = await it.jobs.start({ ...job, parentJobId: first.jobId })
  expect(await it.jobs.explain(sibling.jobId)).toMatchObject({
    text: `${text} One of these is above it, and may wait for it.`,
  })
  await it.limit({ maxConcurrency: 3 })
  const assigned = await it.executor.assigned(3)
  expect(assigned.at(-1)?.jobId).toBe(third.jobId)
})

test('a job that is lost with its executor gives its place to another', async () => {
  await using it = await begin()
  await it.limit({ maxConcurrency: 1 })
  const first = await it.jobs.start(job)
  await it.jobs.start(job)
  await it.executor.assigned(1)
  it.executor.cut()
  await using next = await attachExecutor(it.address, { auto: true, slots: 10 })
  await next.assigned(2)
  expect(next.assignments.map(({ jobId }) => jobId)).toContain(first.jobId)
})

test('a rate lets so many begin at once, and the next when its time has come', async () => {
  await using it = await begin({ auto: true })
  await it.limit({ rate: 1, burst: 3, ratePeriod: { seconds: 3_600n, nanos: 0 } })
  const ids = (await it.jobs.startMany(Array.from({ length: 5 }, () => job))).map(({ outcome }) =>
    outcome?.$case === 'started' ? outcome.value.jobId : '',
  )
  const begun = (await it.executor.assigned(3)).map(({ jobId }) => jobId)
  await it.jobs.wait(begun)
  const explained = await it.jobs.explain(ids.find((id) => !begun.includes(id)) ?? '')
  expect(explained).toMatchObject({ cause: WaitCause.WAIT_CAUSE_LIMIT, holders: [] })
  expect(explained.text).toMatch(
    /^Of test\.job one job may begin in 3600 s, and the next may at 2\d{3}-.*Z(; 1 job is ahead of it)?\.$/,
  )
  expect(it.executor.assignments).toHaveLength(3)
  await it.limit({ rate: 20, burst: 1 })
  await it.jobs.wait(ids)
})

test('a start for which the key has no value is refused, naming the parameters, and null is a value', async () => {
  await using it = await begin()
  await it.limit({ ...perTenant, maxConcurrency: 1 })
  await expect(it.jobs.start({ ...job, params: json({}) })).rejects.toThrow(
    /the limits of test\.job go by params\.tenant, which has no value here: No such key: tenant/,
  )
  await expect(it.jobs.start(ofTenant('x'.repeat(256)))).rejects.toThrow(/more than 255 characters/)
  await it.limit({ keyExpression: 'labels[?"tenant"].orValue("")', maxConcurrency: 1 })
  await it.jobs.start({ ...job, params: json({}) })
  await it.executor.assigned(1)
})

test('limits that cannot be are refused, naming each field', async () => {
  await using it = await begin()
  const wrong = async (...limits: Limit[]) => {
    const error = await it.limit(...limits).catch((refusal: Error) => refusal)
    return (error as Error).message
  }
  expect(await wrong({})).toContain('limits[0] limits nothing')
  expect(await wrong({ method: 'a b', maxConcurrency: 1 })).toContain('limits[0].method must be')
  expect(await wrong({ maxConcurrency: -1 })).toContain('limits[0].max_concurrency must not be')
  expect(await wrong({ keyExpression: 'params.(' })).toContain('limits[0].key_expression is no CEL')
  expect(await wrong({ keyExpression: 'tenant' })).toContain('Unknown variable: tenant')
  expect(await wrong({ keyExpression: 'params.a.matches("b")' })).toContain('calls matches, which')
  expect(await wrong({ keyExpression: '[params.a]' })).toContain('must be a text, a number or')
  expect(await wrong({ burst: 3, maxConcurrency: 1 })).toContain('limits[0].rate must be given')
  expect(await wrong({ rate: 1, ratePeriod: { seconds: 0n, nanos: 1 } })).toContain('at least 1 ms')
  expect(await wrong({ maxConcurrency: 1 }, { maxQueued: 1 })).toContain('limits[1] has no key')
  expect((await it.limit({ maxConcurrency: 2, rate: 5 }))?.limits).toMatchObject([
    { maxConcurrency: 2, rate: 5, burst: 5, ratePeriod: { seconds: 1n }, maxQueued: 0 },
  ])
})

test('a hundred thousand jobs that somebody has queued delay the first one of somebody else by a handful', async () => {
  await using it = await begin({ slots: 2, auto: true })
  await it.limit({ keyExpression: 'owner' })
  await it.limit({ keyExpression: 'owner' }, { maxConcurrency: 100 })
  const text = `INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, limit_key)
    SELECT gen_random_uuid(), 'default', 'test.job', 2, 0, 1, 0, 0, 'noisy', 'noisy' FROM generate_series(1, 10000)`
  // No statement may take longer than half a minute, which all at once do on a busy machine.
  for (let part = 0; part < 10; part++) await it.database.query({ name: '', text })
  await it.database.query({ name: '', text: 'ANALYZE offstage.jobs' })
  await it.executor.assigned(20)
  const { jobId } = await it.as('quiet').start(job)
  // By then so many had begun; nobody else's does before but what had been claimed, and one turn.
  const before = it.executor.assignments.length
  await it.jobs.wait([jobId], { timeoutMs: 20_000 })
  const place = it.executor.assignments.findIndex((assignment) => assignment.jobId === jobId)
  expect(place).toBeGreaterThan(0)
  expect(place - before).toBeLessThan(10)
})

test('a start beyond the limit of a queue is refused with its number, and one that is known is not', async () => {
  await using it = await begin({ slots: 0 })
  await it.limit({ maxQueued: 3 }, { ...perTenant, maxQueued: 2 })
  const requestId = 'again'
  const known = await it.jobs.start({ ...ofTenant('a'), requestId })
  const outcomes = await it.jobs.startMany(['a', 'a', 'b', 'c'].map(ofTenant))
  const told = outcomes.map(({ outcome }) => outcome?.$case)
  expect(told).toEqual(['started', 'error', 'started', 'error'])
  await expect(it.jobs.start(ofTenant('a'))).rejects.toThrow(
    '3 jobs of test.job wait to begin, as many as its limits allow',
  )
  expect(await it.jobs.start({ ...ofTenant('a'), requestId })).toMatchObject({
    jobId: known.jobId,
    existing: true,
  })
  it.executor.say({ credits: [{ lane: 1, slots: 1 }] })
  await it.executor.assigned(1)
  await it.jobs.start(ofTenant('d'))
})

test('neither a start time, a delay nor a key is a way past the limit of a queue, and what waits for them counts', async () => {
  await using it = await begin({ slots: 0 })
  await it.limit({ maxQueued: 3 }, { ...perTenant, maxQueued: 2 })
  const delay = { seconds: 0n, nanos: 1_000_000 }
  const startTime = new Date(Date.now() + 3_600_000)
  const behind = { key: 'k', keyConflictPolicy: 3 } as const
  await it.jobs.start({ ...ofTenant('a'), startTime })
  await it.jobs.start({ ...ofTenant('a'), ...behind })
  await expect(it.jobs.start({ ...ofTenant('a'), delay })).rejects.toThrow('2 jobs of test.job')
  await it.jobs.start({ ...ofTenant('b'), ...behind })
  for (const more of [{ delay }, { startTime }, { startTime: new Date(0) }, behind]) {
    await expect(it.jobs.start({ ...ofTenant('c'), ...more })).rejects.toThrow(
      '3 jobs of test.job wait to begin, as many as its limits allow',
    )
  }
})

test('of starts that come at once through one replica no more are queued than the limit says', async () => {
  await using it = await begin({ slots: 0 })
  await it.limit({ maxQueued: 20 })
  const starts = await Promise.allSettled(Array.from({ length: 100 }, () => it.jobs.start(job)))
  expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
})

test('what was queued before its method had a key takes its turn with the others', async () => {
  await using it = await begin({ slots: 0 })
  await it.jobs.startMany([job, job, job])
  await it.limit({ keyExpression: 'owner', maxConcurrency: 1 })
  await it.jobs.start(job)
  it.executor.say({ credits: [{ lane: 1, slots: 10 }] })
  await it.executor.assigned(2)
  it.executor.succeed(...it.executor.assignments)
  await it.executor.assigned(3)
  expect(it.executor.assignments).toHaveLength(3)
})

test('a place that becomes free on one replica is taken on another, by the word of it alone', async () => {
  await using bus = createInProcessBus()
  const config = { claimSweepMs: 600_000 }
  await using it = await start({ bus, config })
  await using second = await setup({ database: it.database, bus, config })
  await limited(it.address, { maxConcurrency: 1 })
  await using first = await attachExecutor(it.address, { slots: 1 })
  await it.jobs.start(job)
  await first.assigned(1)
  await using other = await attachExecutor(second.scheduler.address, { slots: 1 })
  await it.jobs.start(job)
  // This one gives no slot back with its end.
  const [{ jobId = '', attempt = 0 } = {}] = first.assignments
  first.say({ results: [{ jobId, attempt, outcome: { $case: 'succeeded', value: {} } }] })
  await other.assigned(1)
})

test('a rate is that of all replicas together', async () => {
  await using bus = createInProcessBus()
  await using it = await start({ bus })
  await using second = await setup({ database: it.database, bus, config: { claimSweepMs: 100 } })
  await limited(it.address, { rate: 1, burst: 7, ratePeriod: { seconds: 3_600n, nanos: 0 } })
  await using first = await attachExecutor(it.address, { slots: 10, auto: true })
  await using other = await attachExecutor(second.scheduler.address, { slots: 10, auto: true })
  await Promise.all(
    [it.jobs, it.as('ann')].map((jobs) => jobs.startMany(Array.from({ length: 20 }, () => job))),
  )
  const begun = () => first.assignments.length + other.assignments.length
  await until(() => begun() >= 7, { what: 'the burst' })
  const text = "SELECT tokens < 1 AS empty FROM offstage.rate_tokens WHERE method = 'test.job'"
  expect((await it.database.query({ name: '', text })).rows).toEqual([{ empty: true }])
  // Both have looked again since.
  const sweeps = await it.jobs.start(job)
  await expect
    .poll(async () => (await it.jobs.explain(sweeps.jobId)).text, { timeout: 10_000 })
    .toContain('and the next may at')
  expect(begun()).toBe(7)
})

test.for([
  ['the method', {}],
  ['a key', { keyExpression: 'owner' }],
] as const)(
  'a clock that is put back neither adds to the rate of %s nor stops it',
  async ([, of]) => {
    await using it = await begin({ auto: true })
    await it.limit({ ...of, rate: 50, burst: 2 })
    await it.jobs.startMany([job, job])
    await it.executor.assigned(2)
    // As if what has been taken had been taken in an hour.
    const text = "UPDATE offstage.rate_tokens SET tokens = 0, refill_time = now() + interval '1 h'"
    await it.database.query({ name: '', text })
    const { jobId } = await it.jobs.start(job)
    expect(await it.jobs.wait([jobId], { timeoutMs: 20_000 })).toMatchObject({ satisfied: true })
  },
)

test('of a method with limits, too, a job runs on executors of its pool alone', async () => {
  await using it = await begin()
  await using gpus = await attachExecutor(it.address, { hello: { pools: ['gpu'] }, slots: 10 })
  await it.limit({ ...perTenant, maxConcurrency: 1 }, { maxConcurrency: 2 })
  const gpu = await it.jobs.start({ ...ofTenant('a'), pool: 'gpu' })
  await gpus.assigned(1)
  const plain = await it.jobs.start(ofTenant('b'))
  await it.executor.assigned(1)
  await it.jobs.start({ ...ofTenant('c'), pool: 'gpu' })
  expect(gpus.assignments.map(({ jobId }) => jobId)).toEqual([gpu.jobId])
  expect(it.executor.assignments.map(({ jobId }) => jobId)).toEqual([plain.jobId])
  it.executor.succeed(...it.executor.assignments)
  await gpus.assigned(2)
})

test('a method that is paused and has limits begins nothing until it goes on', async () => {
  await using it = await begin()
  using namespaces = connectNamespaces(it.address)
  await it.limit({ maxConcurrency: 2 })
  await namespaces.pauseMethod('test.job')
  const { jobId } = await it.jobs.start(job)
  expect(await it.jobs.explain(jobId)).toMatchObject({ cause: WaitCause.WAIT_CAUSE_PAUSED })
  await it.limit({ maxConcurrency: 3 })
  expect(it.executor.assignments).toEqual([])
  await namespaces.resumeMethod('test.job')
  await it.executor.assigned(1)
})

test('what holds the places of somebody else is not named', async () => {
  await using it = await begin()
  await it.limit({ maxConcurrency: 1 })
  await it.as('ann').start(job)
  await it.executor.assigned(1)
  const { jobId } = await it.as('bob').start(job)
  expect(await it.as('bob').explain(jobId)).toMatchObject({
    cause: WaitCause.WAIT_CAUSE_LIMIT,
    holders: [],
  })
})
