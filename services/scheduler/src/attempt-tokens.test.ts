/** Tokens by which the handlers of attempts act for the owners of their jobs (row J5), over several replicas. */
import { randomUUID } from 'node:crypto'
import { type Database, openPostgres } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { callsWith, tokensOver } from './testing/attempt-tokens.ts'
import { millis } from './testing/draft.ts'
import { createFreshDatabase } from './testing/fresh-database.ts'
import { attachExecutor, type ScriptedExecutor } from './testing/scripted-executor.ts'
import { setup as setupScheduler } from './testing/setup.ts'

const CONFIG = { sessionLeaseMs: 600, claimSweepMs: 200, waitSweepMs: 200, dueSweepMs: 50 }

/** Two replicas, an executor at the first, and a job of alice that runs there. */
async function setup(options: Parameters<typeof tokensOver>[1] & { privileged?: boolean } = {}) {
  const it = new AsyncDisposableStack()
  const { url } = it.use(await createFreshDatabase())
  const replica = async () => {
    const database: Database = it.use(await openPostgres({ url, poolSize: 4 }))
    const tokens = tokensOver(database, options)
    const bundle = it.use(await setupScheduler({ database, config: CONFIG, ...tokens }))
    return { ...bundle, ...tokens, address: bundle.scheduler.address }
  }
  const [here, there] = [await replica(), await replica()]
  const { privileged = false } = options
  const definitions = [{ name: 'test.job', privileged }]
  const executor = it.use(await attachExecutor(here.address, { definitions }))
  const { jobId } = await here.as('alice').start({ method: 'test.job' })
  const [{ attempt = 0 } = {}] = await executor.assigned(1)
  const ref = { jobId, attempt }
  const { sessionId } = executor
  const calls = (address: string, token?: string) => it.use(callsWith(address, token))
  const issue = async (asked: { readonly privileged?: boolean } = {}) =>
    (await calls(here.address).issue({ sessionId, jobId, attempt, ...asked })).token
  const dispose = () => it.disposeAsync()
  const rest = { ref, calls, issue, url, [Symbol.asyncDispose]: dispose }
  return { here, there, executor, ...rest }
}

type Bundle = Awaited<ReturnType<typeof setup>>

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'OK',
    (error) => errorFromStatus(error).reason,
  )

test('any replica makes a token for the session that holds the attempt, and for nobody else', async () => {
  await using it = await setup()
  const { jobId, attempt } = it.ref
  const { sessionId } = it.executor
  await using other = await attachExecutor(it.here.address, { methods: ['other'] })
  for (const { address } of [it.here, it.there]) {
    const { issue } = it.calls(address)
    const { token, expireTime } = await issue({ sessionId, jobId, attempt })
    expect(decodeJwt(token)).toMatchObject({
      iss: 'offstage',
      aud: 'offstage',
      sub: 'alice',
      namespace: 'default',
      job_id: jobId,
      attempt,
      roles: ['user'],
      exp: Number(expireTime) / 1_000,
    })
    const others = [
      { sessionId: other.sessionId, jobId, attempt },
      { sessionId: randomUUID(), jobId, attempt },
      { sessionId, jobId: randomUUID(), attempt },
      { sessionId, jobId, attempt: attempt + 1 },
      { sessionId, jobId, attempt, namespace: 'elsewhere' },
    ]
    for (const request of others) expect(await reasonOf(issue(request))).toBe('ATTEMPT_NOT_HELD')
    expect(await reasonOf(issue({ sessionId, jobId: 'x', attempt }))).toBe('INVALID_FIELD')
  }
})

test('who brings the token is the owner of the job, a plain user, in its namespace alone', async () => {
  await using it = await setup()
  const token = await it.issue()
  const { jobId } = it.ref
  for (const { address } of [it.here, it.there]) {
    const handler = it.calls(address, token)
    expect(await handler.check()).toEqual(it.ref)
    const { job: child } = await handler.start({ method: 'test.job', parentJobId: jobId })
    const started = await it.here.jobs.get(child?.jobId ?? '')
    expect(started).toMatchObject({ owner: 'alice', parentJobId: jobId })
    expect(await reasonOf(handler.start({ method: 'test.job' }, 'elsewhere'))).toBe(
      'NAMESPACE_NOT_FOUND',
    )
    const request = { sessionId: it.executor.sessionId, ...it.ref }
    expect(await reasonOf(handler.issue(request))).toBe('PERMISSION_DENIED')
  }
  const foreign = await it.here.as('bob').start({ method: 'test.job' })
  expect(await reasonOf(it.calls(it.there.address, token).get(foreign.jobId))).toBe('JOB_NOT_FOUND')
})

test('of a privileged method it acts as a service where it is asked to, for the same user, until the method says otherwise', async () => {
  await using it = await setup({ privileged: true })
  const said = async (privileged = true) => decodeJwt(await it.issue({ privileged }))
  expect(await said()).toMatchObject({ sub: 'alice', namespace: 'default', roles: ['service'] })
  expect(await said(false)).toMatchObject({ sub: 'alice', roles: ['user'] })
  const token = await it.issue({ privileged: true })
  const { job: child } = await it.calls(it.there.address, token).start({ method: 'test.job' })
  expect(await it.here.jobs.get(child?.jobId ?? '')).toMatchObject({ owner: 'alice' })
  await using _plain = await attachExecutor(it.here.address)
  expect(await said()).toMatchObject({ sub: 'alice', roles: ['user'] })
})

test('its children are below the job of the token, whatever else is its owner’s', async () => {
  await using it = await setup()
  const handler = it.calls(it.there.address, await it.issue())
  const { jobId } = it.ref
  const below = async (parentJobId: string) =>
    (await handler.start({ method: 'test.job', parentJobId })).job?.jobId ?? ''
  const grandchild = await below(await below(await below(jobId)))
  expect((await it.here.jobs.get(grandchild)).rootJobId).toBe(jobId)
  // Named or not.
  expect((await it.here.jobs.get(await below(''))).parentJobId).toBe(jobId)
  const beside = await it.here.as('alice').start({ method: 'test.job' })
  for (const parent of [beside.jobId, randomUUID()]) {
    await expect(below(parent)).rejects.toThrow('parent_job_id names no job')
  }
})

describe('a token is refused by every replica once its attempt', () => {
  const ENDS: Record<string, (it: Bundle) => Promise<unknown>> = {
    'has succeeded': async ({ executor }) => executor.succeed(...executor.assignments),
    'has failed and is tried again': async ({ executor, ref }) =>
      executor.say({
        results: [{ ...ref, outcome: { $case: 'failed', value: { brief: 'x', retryable: true } } }],
      }),
    'was canceled and has ended': async ({ executor, here, ref }) => {
      await here.as('alice').cancel(ref.jobId)
      await until(() => executor.cancels.length > 0)
      executor.say({ results: [{ ...ref, outcome: { $case: 'canceled', value: '' } }] })
    },
    'was handed back': async ({ executor, ref }) => executor.say({ handedBack: [ref] }),
    'is with an executor that is lost': async ({ executor }) => executor.cut(),
  }

  test.each(Object.entries(ENDS))('%s', async (_, end) => {
    await using it = await setup()
    const token = await it.issue()
    const at = [it.here, it.there].map(({ address }) => it.calls(address, token))
    for (const { check } of at) expect(await check()).toEqual(it.ref)
    await end(it)
    for (const { check } of at) {
      await until(async () => (await reasonOf(check())) === 'ATTEMPT_TOKEN_ENDED')
    }
    expect(await reasonOf(it.issue())).toBe('ATTEMPT_NOT_HELD')
  })

  test('has been followed by another one, while the session that had it still talks', async () => {
    await using it = await setup()
    const token = await it.issue()
    it.executor.cut()
    await using next: ScriptedExecutor = await attachExecutor(it.there.address)
    const [assignment] = await next.assigned(1)
    expect(assignment).toMatchObject({ jobId: it.ref.jobId, attempt: 2 })
    const late = it.calls(it.here.address, token)
    const { jobId } = it.ref
    expect(await reasonOf(late.start({ method: 'test.job', parentJobId: jobId }))).toBe(
      'ATTEMPT_TOKEN_ENDED',
    )
    const { sessionId } = next
    const { token: newer } = await it.calls(it.here.address).issue({
      sessionId,
      jobId,
      attempt: 2,
    })
    expect(await it.calls(it.here.address, newer).check()).toEqual({ jobId, attempt: 2 })
  })
})

test('an attempt that is told to stop may still call until it has ended', async () => {
  await using it = await setup()
  const handler = it.calls(it.there.address, await it.issue())
  await it.here.as('alice').cancel(it.ref.jobId)
  await until(() => it.executor.cancels.length > 0)
  expect(await handler.check()).toEqual(it.ref)
})

test('while an answer holds nobody asks again, and all who come at once ask once', async () => {
  await using it = await setup({ keptMs: 60_000 })
  const asked = it.there.asked()
  const handler = it.calls(it.there.address, await it.issue())
  await Promise.all(Array.from({ length: 50 }, () => handler.check()))
  it.executor.succeed(...it.executor.assignments)
  await until(() => it.executor.acknowledged.length > 0)
  expect(await handler.check()).toEqual(it.ref)
  expect(it.there.asked() - asked).toBe(1)
})

test('the public keys are a JWKS to everybody, by which anybody verifies a token', async () => {
  await using it = await setup()
  const token = await it.issue()
  const { jwks } = await it.calls(it.there.address).keys()
  expect(jwks).not.toContain('"d"')
  const keys = createLocalJWKSet(JSON.parse(jwks))
  const { payload } = await jwtVerify(token, keys, { issuer: 'offstage', typ: 'attempt+jwt' })
  expect(payload.sub).toBe('alice')
})

test('without tokens, as in development, the answers are empty', async () => {
  await using it = await setupScheduler()
  using calls = callsWith(it.scheduler.address, undefined)
  const request = { sessionId: randomUUID(), jobId: randomUUID(), attempt: 1 }
  expect(await calls.issue(request)).toEqual({ token: '', expireTime: undefined })
  expect(await calls.check()).toEqual({ jobId: '', attempt: 0 })
  expect(await calls.keys()).toEqual({ jwks: '{"keys":[]}' })
})

test('an attached child that comes after the failure of the attempt that starts it is canceled: the next one has its own', async () => {
  // A token is believed for as long as it was looked at.
  await using it = await setup({ keptMs: 60_000 })
  const { executor, here } = it
  const method = 'test.job'
  const { jobId } = await here
    .as('alice')
    .start({ method, retryPolicy: { maxAttempts: 2, initialBackoff: millis(1_000), jitter: 0 } })
  await executor.assigned(2)
  const { issue } = it.calls(here.address)
  const { token } = await issue({ sessionId: executor.sessionId, jobId, attempt: 1 })
  const { start } = it.calls(here.address, token)
  const own = (await start({ method, attached: true })).job?.jobId
  const value = { brief: 'no', reason: 'NO', retryable: true }
  executor.say({ results: [{ jobId, attempt: 1, outcome: { $case: 'failed', value } }] })
  const attempts = async () => (await here.jobs.get(jobId)).attempts
  await until(async () => (await attempts())[0]?.outcome === JobState.JOB_STATE_FAILED)
  const late = (await start({ method, attached: true })).job?.jobId
  await until(() => executor.assignments.some((each) => each.jobId === jobId && each.attempt === 2))
  const canceled = () => executor.cancels.map((each) => each.jobId)
  await until(() => [own, late].every((child) => canceled().includes(child ?? '')), {
    what: 'both children to be canceled',
  })
})
