/** Jobs in the process of their caller, over real services (row L7): the same record, and no attempt that counts twice. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import inspector from 'node:inspector'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { foregroundRunner } from '@offstage/executor'
import { type JobHandle, Offstage } from '@offstage/sdk'
import { defineJob } from '@offstage/sdk/jobs'
import { spawnProcess, until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import * as fore from './cluster/foreground-jobs.ts'

const jobs = new URL('./cluster/foreground-jobs.ts', import.meta.url)
/** In this process alone. */
const here = defineJob({ method: 'fore.here', run: () => process.pid })
const bound = defineJob({ method: 'fore.bound', background: false, run: () => process.pid })

const resources = new AsyncDisposableStack()
let cluster: Cluster
let offstage: Offstage
let folder: string
beforeAll(async () => {
  cluster = resources.use(await startCluster({ jobs, schedulers: 2, executors: 1 }))
  offstage = resources.use(await connect([...Object.values(fore), here, bound]))
  folder = await mkdtemp(join(tmpdir(), 'offstage-foreground-'))
  resources.defer(() => rm(folder, { recursive: true }))
  await until(async () => (await executors()).length === 1, { what: 'the executor is attached' })
}, 60_000)
afterAll(() => resources.disposeAsync())

const connect = (
  of: Parameters<typeof foregroundRunner>[0]['jobs'],
  more: Partial<Parameters<typeof foregroundRunner>[0]> = {},
) =>
  Offstage.connect({
    scheduler: cluster.target(),
    foreground: foregroundRunner({ jobs: of, closeGraceMs: 200, ...more }),
  })

async function executors() {
  const all = []
  for await (const each of offstage.listExecutors()) all.push(each)
  return all
}

/** What can be seen of a job, but for when and where. */
async function recordOf(job: JobHandle) {
  const { state, result, additionalResult, error, cancelOutcome, messages } =
    (await job.waitForCompletion()) as Extract<
      Awaited<ReturnType<typeof job.waitForCompletion>>,
      { isCompleted: true }
    >
  const { attempts, attempt, crashCount, progress, heartbeatData, lane, labels, pool, retry } =
    (await job.refresh()) as Record<string, unknown> & Awaited<ReturnType<typeof job.refresh>>
  return {
    ...{ state, result, additionalResult, cancelOutcome, attempt, crashCount, progress },
    ...{ heartbeatData, lane, labels, pool, retry },
    error: error && { brief: error.brief, reason: error.reason },
    messages: messages.map(({ text, severity, extra, sequence }) => [
      sequence,
      severity,
      text,
      extra,
    ]),
    attempts: attempts.map(({ lane, outcome, errorBrief, errorReason }) => [
      ...[lane, outcome, errorBrief, errorReason],
    ]),
  }
}

type Mode = 'background' | 'foreground'
const until50 = (job: JobHandle) =>
  until(async () => (await job.refresh()).state === 'running', { what: 'it runs' })

const SCENES: readonly (readonly [string, (mode: Mode) => Promise<JobHandle>])[] = [
  ['success, progress and messages', (mode) => offstage.startJob(fore.double, { n: 4 }, { mode })],
  ['a procedure', (mode) => offstage.startJob(fore.nothing, undefined, { mode })],
  ['failures that are retried', (mode) => offstage.startJob(fore.flaky, { failures: 2 }, { mode })],
  ['one failure too many', (mode) => offstage.startJob(fore.flaky, { failures: 3 }, { mode })],
  ['a failure for good', (mode) => offstage.startJob(fore.wrong, undefined, { mode })],
  ['children', (mode) => offstage.startJob(fore.family, { n: 3 }, { mode })],
  [
    'a cancel',
    async (mode) => {
      const job = await offstage.startJob(fore.endless, undefined, { mode })
      await until50(job)
      await job.cancel({ reason: 'changed my mind' })
      return job
    },
  ],
  [
    'a cancel that is not listened to',
    async (mode) => {
      const job = await offstage.startJob(fore.deaf, undefined, { mode })
      await until50(job)
      await job.cancel({ graceMs: 100 })
      return job
    },
  ],
  ['a deadline', (mode) => offstage.startJob(fore.patient, undefined, { mode })],
]

describe('the record is the same in both modes', () => {
  test.each(SCENES)('for %s', async (_name, start) => {
    const [background, foreground] = await Promise.all([start('background'), start('foreground')])
    const [expected, told] = await Promise.all([recordOf(background), recordOf(foreground)])
    expect(told).toEqual(expected)
    const [away, own] = await Promise.all([background.refresh(), foreground.refresh()])
    expect([away.isForeground, own.isForeground]).toEqual([false, true])
    expect(own.attempts[0]?.executorName).toContain(`${process.pid} (foreground)`)
  })
})

describe('auto', () => {
  const auto = { mode: 'auto' } as const

  test('is the background where an executor runs the method, and the foreground where none does', async () => {
    const job = await offstage.startJob(fore.nothing, undefined, auto)
    await job.waitForCompletion()
    expect(await job.refresh()).toMatchObject({ isForeground: false })
    expect(await offstage.run(here, undefined, auto)).toBe(process.pid)
    expect(await offstage.run(bound, undefined, auto)).toBe(process.pid)
  })

  test('is the foreground under a debugger', async () => {
    inspector.open(0)
    try {
      const job = await offstage.startJob(fore.nothing, undefined, auto)
      await job.waitForCompletion()
      expect(await job.refresh()).toMatchObject({ isForeground: true })
    } finally {
      inspector.close()
    }
  })

  test('is the foreground where that is preferred, and of a handler that is not here the background', async () => {
    await using preferring = await connect([fore.double], { prefer: true })
    const [job, ...more] = await preferring.startJobs(fore.double, [{ n: 1 }, { n: 2 }], auto)
    await preferring.waitAll([...more, ...(job ? [job] : [])])
    expect(await job?.refresh()).toMatchObject({ isForeground: true })
    const other = await preferring.startJob(fore.nothing, undefined, auto)
    await other.waitForCompletion()
    expect(await other.refresh()).toMatchObject({ isForeground: false })
  })
})

test('what cannot be run here, or not there, is refused', async () => {
  const plain = resources.use(await Offstage.connect({ scheduler: cluster.target() }))
  const forced = { mode: 'foreground' } as const
  await expect(plain.startJob(here, undefined, forced)).rejects.toThrow(/has nothing to run jobs/)
  const unknown = defineJob({ method: 'fore.elsewhere', run() {} })
  await expect(offstage.startJob(unknown, undefined, forced)).rejects.toThrow(
    /has no handler of fore\.elsewhere/,
  )
  await offstage.run(bound, undefined, forced)
  const withFallback = { ...forced, fallbackMethod: here.method }
  expect(await offstage.run('fore.unknown', undefined, withFallback)).toBe(process.pid)
  await expect(offstage.startJob(bound)).rejects.toMatchObject({ reason: 'METHOD_FOREGROUND_ONLY' })
  const both = { mode: 'background', executorSessionId: randomUUID() } as const
  await expect(offstage.startJob(here, undefined, both)).rejects.toThrow(
    /mode is BACKGROUND, which excludes executor_session_id/,
  )
})

test('a start after the process stood still for longer than its lease waits until it is attached again', async () => {
  await using own = await connect([here])
  const forced = { mode: 'foreground' } as const
  await own.run(here, undefined, forced)
  execFileSync('sleep', ['3'])
  expect(await own.run(here, undefined, forced)).toBe(process.pid)
}, 60_000)

/** A caller in a process of its own, whose job is in its handler. */
async function startCaller(env: Readonly<Record<string, string>>) {
  const note = join(folder, `${randomUUID()}.note`)
  const gate = `${note}.gate`
  const caller = await spawnProcess({
    main: new URL('./cluster/foreground-caller.ts', import.meta.url),
    env: { OFFSTAGE_SCHEDULER: cluster.target(), NOTE: note, GATE: gate, ...env },
    ready: /^job (\S+)$/,
    readyTimeoutMs: 30_000,
  })
  const notes = async () =>
    (await readFile(note, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  await until(async () => (await notes()).length === 1, { what: 'the handler has begun' })
  expect(await notes()).toEqual([`${caller.pid} 1`])
  const job = offstage.job<{ pid: number }>(caller.ready[1] ?? '')
  return { caller, job, notes, open: () => writeFile(gate, '') }
}

const PREFERRED = { MODE: 'auto', OFFSTAGE_FOREGROUND: 'on' }

test('a forced job whose caller is killed ends with a reason', async () => {
  const { caller, job } = await startCaller({ MODE: 'foreground' })
  await caller.kill('SIGKILL')
  const done = await job.waitForCompletion()
  expect(done).toMatchObject({ state: 'failed', error: { reason: 'EXECUTOR_SESSION_LOST' } })
}, 60_000)

test('a job that was put into the foreground goes on on an executor when its caller is killed', async () => {
  const { caller, job, open } = await startCaller(PREFERRED)
  await caller.kill('SIGKILL')
  await open()
  expect((await job.value()).pid).not.toBe(caller.pid)
  expect(await job.refresh()).toMatchObject({ attempt: 2, crashCount: 1, isForeground: false })
}, 60_000)

test('a caller that wakes up after its lease is fenced: what its handler returns counts no more', async () => {
  const { caller, job, open, notes } = await startCaller(PREFERRED)
  caller.signal('SIGSTOP')
  await until(async () => (await notes()).length === 2, {
    what: 'an executor has begun it',
    timeoutMs: 30_000,
  })
  await open()
  const { pid } = await job.value()
  expect(pid).not.toBe(caller.pid)
  caller.signal('SIGCONT')
  await until(async () => (await notes()).length === 4, { what: 'the first handler has returned' })
  await until(() => caller.stdout.includes('done'), { what: 'the caller has ended' })
  expect(await offstage.job<{ pid: number }>(job.id).value()).toEqual({ pid })
  expect((await job.refresh()).attempts.map(({ outcome }) => outcome)).toEqual([
    'queued',
    'succeeded',
  ])
}, 60_000)

test('a client that is closed hands back what runs in it', async () => {
  const own = await connect([fore.hold], { prefer: true, closeGraceMs: 0 })
  const note = join(folder, `${randomUUID()}.note`)
  const params = { note, gate: `${note}.gate` }
  const job = await own.startJob(fore.hold, params, { mode: 'auto' })
  await until(async () => (await readFile(note, 'utf8').catch(() => '')) !== '')
  await own.close()
  await writeFile(params.gate, '')
  const { pid } = (await offstage.job<{ pid: number }>(job.id).value()) ?? {}
  expect(pid).not.toBe(process.pid)
}, 60_000)
