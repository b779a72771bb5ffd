/** What a handler does is its user's, over real processes with identity on: tokens of attempts (row J5). */
import { setTimeout as pause } from 'node:timers/promises'
import { Metadata } from '@grpc/grpc-js'
import { foregroundRunner } from '@offstage/executor'
import { ExecutorServiceClient, type IssueAttemptTokenResponse } from '@offstage/proto/executor'
import { JobServiceService, JobSpec } from '@offstage/proto/jobs'
import { StorageServiceService } from '@offstage/proto/storage'
import { Offstage } from '@offstage/sdk'
import type { ForegroundRunner } from '@offstage/sdk/client'
import { callUnary, createChannel } from '@offstage/sdk/grpc'
import { startTestIssuer, type TestIssuer, until } from '@offstage/testkit'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callAnyRpc } from './cluster/any-rpc.ts'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { caller, deputy, family, holder, turnRound } from './cluster/token-jobs.ts'

const jobs = new URL('./cluster/token-jobs.ts', import.meta.url)
const RUNNER = 'runner'

async function setup(options: { schedulers: number; executors: number; life?: string }) {
  const stack = new AsyncDisposableStack()
  const { life = '5m', ...counts } = options
  const issuer: TestIssuer = stack.use(await startTestIssuer())
  const runner = await issuer.sign({ user: RUNNER, roles: ['executor'] })
  const storage = await issuer.sign({ user: 'storage', roles: ['service'], namespaces: 'all' })
  const identity = await issuer.identityFile()
  const env = {
    OFFSTAGE_IDENTITY: identity,
    OFFSTAGE_SCHEDULER_ATTEMPT_TOKEN_LIFE: life,
    OFFSTAGE_SCHEDULER_SIGNING_KEY_AGE: '1m',
  }
  const cluster: Cluster = stack.use(
    await startCluster({
      ...counts,
      jobs,
      storage: true,
      env,
      envOf: (service) =>
        service === 'scheduler'
          ? {}
          : { OFFSTAGE_TOKEN: service === 'executor' ? runner : storage },
    }),
  )
  const as = async (user: string, roles = ['user'], foreground?: ForegroundRunner) =>
    stack.use(
      await Offstage.connect({
        scheduler: cluster.target(),
        storage: cluster.storage,
        token: () => issuer.sign({ user, roles }),
        ...(foreground && { foreground }),
      }),
    )
  const [alice, bob] = [await as('alice'), await as('bob')]
  return {
    cluster,
    issuer,
    runner,
    as,
    alice,
    bob,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

type Setup = Awaited<ReturnType<typeof setup>>

/** Shared by all but the last: starting it takes longer than they do. */
let it: Setup
beforeAll(async () => {
  it = await setup({ schedulers: 2, executors: 1 })
})
afterAll(() => it[Symbol.asyncDispose]())

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'OK',
    (error) => error.reason,
  )

test('the children and values of a handler are the user’s whose job it runs, and nobody else’s', async () => {
  const { alice, bob } = it
  const handle = await alice.startJob(family, undefined)
  const { result } = await handle.waitForCompletion()
  const { childId = '', address = '' } = (result ?? {}) as { childId?: string; address?: string }
  const record = await alice.job(childId).refresh()
  expect(record).toMatchObject({ owner: 'alice', parentJobId: handle.id })
  expect(await alice.storage.get(address)).toEqual({ of: 'alice' })

  expect((await bob.listJobsPage()).jobs).toEqual([])
  expect(await reasonOf(bob.job(childId).refresh())).toBe('JOB_NOT_FOUND')
  expect(await reasonOf(bob.storage.get(address))).toBe('VALUE_NOT_FOUND')

  // Large ones go through storage, as the user there too.
  const text = 'large '.repeat(50_000)
  expect((await alice.run(turnRound, { text })).text).toBe([...text].reverse().join(''))
})

test('whoever may attach too runs a job in the foreground, by the tokens of its attempts', async () => {
  const foreground = foregroundRunner({ jobs: [family] })
  await using erin = await it.as('erin', ['user', 'executor'], foreground)
  const job = await erin.startJob(family, undefined, { mode: 'foreground' })
  const { childId } = await job.value()
  expect(await job.refresh()).toMatchObject({ owner: 'erin', isForeground: true })
  const child = await erin.job(childId).refresh()
  expect(child).toMatchObject({ owner: 'erin', parentJobId: job.id, isForeground: false })
  await using dora = await it.as('dora', ['user'], foreground)
  const refused = dora.startJob(family, undefined, { mode: 'foreground' })
  expect(await reasonOf(refused)).toBe('PERMISSION_DENIED')
})

test('large parameters and results go with their job, also where everybody needs a token', async () => {
  // Who has no values yet.
  const carol = await it.as('carol')
  const handle = await carol.startJob(turnRound, { text: 'large '.repeat(50_000) })
  await handle.waitForCompletion()
  const left = async () => {
    const addresses: string[] = []
    for await (const { address } of carol.storage.list()) addresses.push(address)
    return addresses
  }
  expect(await left()).toHaveLength(2)
  expect(await reasonOf(it.bob.deleteJob(handle.id))).toBe('JOB_NOT_FOUND')
  await carol.deleteJob(handle.id)
  await until(async () => (await left()).length === 0)
})

test('what the caller of a privileged job names is touched with the rights of the caller, what its handler touches with its own', async () => {
  const { alice, bob } = it
  const { address } = await alice.storage.put({ of: 'alice' })
  const reserved = await alice.storage.reserve()
  await using scope = await alice.storage.openScope()
  expect(await bob.run(deputy, { read: address })).toEqual({ of: 'alice' })

  const params = { source: { $case: 'address', value: address } }
  for (const named of [
    { params },
    { resultAddress: reserved.address },
    { wantAdditionalResult: true, additionalResultAddress: reserved.address },
  ]) {
    expect(await reasonOfJob(it, named)).toBe('VALUE_NOT_FOUND')
  }
  expect(await reasonOfJob(it, { scope: scope.id })).toBe('SCOPE_NOT_FOUND')
  expect(await reasonOf(alice.storage.get(reserved.address))).toBe('VALUE_NOT_FOUND')

  // What is the caller's own goes as everywhere, and so does what is large.
  const own = await bob.storage.reserve()
  expect(await reasonOfJob(it, { resultAddress: own.address })).toBeUndefined()
  const text = 'large '.repeat(50_000)
  expect(await bob.run(deputy, { text })).toEqual({ text })
})

/** Why a privileged job of bob failed that was started past the checks of the SDK. */
async function reasonOfJob({ cluster, issuer, bob }: Setup, spec: object) {
  const job = JobSpec.fromPartial({ method: deputy.method, ...spec })
  const rpc = {
    address: cluster.schedulers[0]?.address ?? '',
    definition: JobServiceService.startJob,
  }
  const headers = { authorization: `Bearer ${await issuer.sign({ user: 'bob' })}` }
  const [answer] = (await callAnyRpc(rpc, { job }, headers)).messages
  return (await bob.job(answer.job.jobId).waitForCompletion()).error?.reason
}

/** The token of an attempt, as its executor gets it. */
async function tokenOf({ cluster, runner }: Setup, request: { jobId: string; sessionId: string }) {
  using channel = createChannel(cluster.schedulers[0]?.address ?? '')
  const client = channel.client(ExecutorServiceClient)
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${runner}`)
  const { token } = await callUnary<
    Parameters<typeof client.issueAttemptToken>[0],
    IssueAttemptTokenResponse
  >(client.issueAttemptToken.bind(client), { ...request, namespace: '', attempt: 1 }, { metadata })
  return token
}

/** What every scheduler and storage say to a call with the token. */
async function answersTo({ cluster }: Setup, token: string) {
  const rpcs = [
    ...cluster.schedulers.map(({ address }) => ({
      address,
      definition: JobServiceService.listJobs,
    })),
    { address: cluster.storage, definition: StorageServiceService.listValues },
  ]
  const headers = { authorization: `Bearer ${token}` }
  const answers = await Promise.all(rpcs.map((rpc) => callAnyRpc(rpc, {}, headers)))
  return answers.map(({ outcome }) => outcome)
}

test('an attempt that lost its lease in a freeze is refused by every scheduler and by storage', {
  timeout: 120_000,
}, async () => {
  const operator = await it.as('olga', ['operator'])
  const handle = await it.alice.startJob(holder, undefined)
  await until(async () => (await handle.refresh()).attempt === 1)
  const { value: executor } = await operator.listExecutors().next()
  const sessionId: string = executor?.sessionId ?? ''
  const token = await tokenOf(it, { jobId: handle.id, sessionId })
  expect(await answersTo(it, token)).toEqual(['OK', 'OK', 'OK'])

  const [frozen] = it.cluster.executors
  frozen?.process.signal('SIGSTOP')
  try {
    const isRefused = (outcome: string) => outcome === 'ATTEMPT_TOKEN_ENDED'
    await until(async () => (await answersTo(it, token)).every(isRefused), { timeoutMs: 30_000 })
  } finally {
    frozen?.process.signal('SIGCONT')
  }
  await until(async () => (await handle.refresh()).attempt === 2, { timeoutMs: 30_000 })
  expect(new Set(await answersTo(it, token))).toEqual(new Set(['ATTEMPT_TOKEN_ENDED']))
  await handle.cancel()
})

test('signing keys rotate while jobs flow, and no call fails', {
  timeout: 120_000,
}, async () => {
  await using own = await setup({ schedulers: 2, executors: 2, life: '2s' })
  const client = new Client({ connectionString: own.cluster.databaseUrl })
  await client.connect()
  // Old ones are forgotten meanwhile.
  const seen = new Set<string>()
  const keys = async () => {
    const { rows } = await client.query('SELECT id FROM offstage.signing_keys')
    for (const { id } of rows) seen.add(id)
    return seen.size
  }
  const rotate = async () => {
    // A scheduler looks at them every ten seconds.
    while (seen.size < 3) {
      const before = await keys()
      await client.query(
        "UPDATE offstage.signing_keys SET create_time = create_time - interval '2 minutes'",
      )
      await until(async () => (await keys()) > before, { timeoutMs: 30_000, what: 'a new key' })
    }
  }
  const long = own.alice.runAll(
    caller,
    Array.from({ length: 4 }, () => ({ calls: 20, everyMs: 800 })),
  )
  let over = false
  const both = Promise.all([long, rotate()]).finally(() => {
    over = true
  })
  let flowed = 0
  const flow = async () => {
    while (!over) {
      await own.alice.run(family, undefined)
      flowed += 1
      // Else it takes all the CPU there is.
      await pause(50)
    }
  }
  await Promise.all([both, flow(), flow()])
  expect(await long).toEqual([20, 20, 20, 20])
  expect(flowed).toBeGreaterThan(4)
  await client.end()
})
