import { Lane } from '@offstage/proto/jobs'
import { spawnProcess, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type Attachment, startFakeScheduler } from '../testing/fake-scheduler.ts'
import type { Crash } from '../testing/hostile-jobs.ts'
import { setup, TEST_JOBS } from '../testing/setup.ts'

const lane = Lane.LANE_PROCESS
const ENV = { OFFSTAGE_EXECUTOR_PROCESS_SLOTS: '2' }

interface Confined {
  readonly pid: number
  readonly env: readonly string[]
  readonly seen: string
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function pidOf(attachment: Attachment, jobId: string): Promise<number> {
  await attachment.running(jobId)
  return Number(attachment.messages.find((message) => message.jobId === jobId)?.text)
}

test('an executor has the lane where it is told to', async () => {
  await using it = await setup()
  expect(it.attachment.hello.lanes.map((each) => each.lane)).toEqual([1, 2, 3])
  await using told = await setup(ENV)
  expect(told.attachment.hello.lanes[3]).toEqual({ lane, slots: 2 })
  await until(() => told.attachment.credits(lane) === 2)
})

test('a handler runs in a process of its own, is known there as elsewhere, and sees nothing of the credentials of its executor', {
  timeout: 60_000,
}, async () => {
  process.env.OFFSTAGE_PLANTED = 'the secret'
  process.env.DATABASE_PLANTED = 'the secret'
  process.env.GIVEN = 'for handlers'
  await using it = await setup({ ...ENV, OFFSTAGE_EXECUTOR_PROCESS_ENV: 'GIVEN' })
  const { attachment } = it
  attachment.assign('a', 'test.confined', {}, { lane })
  const first = (await attachment.value('a')) as Confined
  expect(first.pid).not.toBe(process.pid)
  expect(first.env).toContain('GIVEN')
  expect(first.seen).not.toContain('the secret')
  expect(attachment.progress.map(({ progress }) => progress?.text)).toEqual(['half'])
  // It is used again.
  attachment.assign('b', 'test.confined', {}, { lane })
  expect(await attachment.value('b')).toMatchObject({ pid: first.pid })
  attachment.assign('c', 'test.bytes', undefined, {
    lane,
    params: {
      source: { $case: 'inline', value: Buffer.from([1, 2, 3]) },
      contentType: 'application/octet-stream',
    },
  })
  const { outcome } = await attachment.result('c')
  expect(outcome?.value).toMatchObject({ source: { $case: 'inline', value: Buffer.from([2, 3]) } })
  attachment.assign('d', 'test.fail', undefined, { lane })
  expect(await attachment.fault('d')).toMatchObject({ reason: 'OutOfPaperError' })
  for (const name of ['OFFSTAGE_PLANTED', 'DATABASE_PLANTED', 'GIVEN']) delete process.env[name]
})

test('whatever ends its process ends the job of a handler alone, with a reason that tells it', {
  timeout: 120_000,
}, async () => {
  const ends: Record<Crash, [reason: string, detail: RegExp]> = {
    segfault: ['EXECUTOR_PROCESS_LOST', /^The process was ended by SIGSEGV\.$/],
    abort: ['EXECUTOR_PROCESS_LOST', /^The process was ended by SIGABRT\.$/],
    exit: ['EXECUTOR_PROCESS_LOST', /^The process exited with code 3\.$/],
    throw: ['EXECUTOR_PROCESS_LOST', /nobody catches this[\s\S]*hostile-jobs\.ts/],
    memory: ['OUT_OF_MEMORY', /its heap was full|^The process held/],
    disconnect: ['EXECUTOR_PROCESS_LOST', /^The process closed its connection to the executor/],
  }
  await using it = await setup({ ...ENV, OFFSTAGE_EXECUTOR_PROCESS_MEMORY: '256MiB' })
  const { attachment } = it
  attachment.assign('neighbour', 'test.obedient', undefined, { lane })
  await attachment.running('neighbour')
  for (const [by, [reason, detail]] of Object.entries(ends)) {
    attachment.assign(by, 'test.crash-process', { by }, { lane })
    const { outcome } = await attachment.result(by, { timeoutMs: 30_000 })
    expect([by, outcome?.value]).toMatchObject([by, { reason, retryable: true }])
    expect((await attachment.fault(by)).detail).toMatch(detail)
  }
  attachment.assign('hoard', 'test.hoard', { mib: 400 }, { lane })
  await attachment.result('hoard', { timeoutMs: 30_000 })
  const hoard = await attachment.fault('hoard')
  expect(hoard.reason).toBe('OUT_OF_MEMORY')
  expect(hoard.detail).toMatch(/^The process held \d+ MiB.*\(OFFSTAGE_EXECUTOR_PROCESS_MEMORY\)/)
  attachment.cancel('neighbour', { graceMs: 60_000 })
  expect((await attachment.result('neighbour')).outcome?.$case).toBe('canceled')
  expect(attachment.handedBack).toEqual([])
})

test('a handler that does not stop is killed at the end of its grace, and the process is gone', async () => {
  await using it = await setup(ENV)
  const { attachment } = it
  attachment.assign('a', 'test.confined', { spins: true }, { lane })
  const pid = await pidOf(attachment, 'a')
  attachment.cancel('a', { graceMs: 10 })
  expect((await attachment.result('a')).outcome).toEqual({
    $case: 'canceled',
    value: 'ended by force',
  })
  await until(() => !isAlive(pid))
  attachment.assign('b', 'test.echo', 'alive', { lane })
  expect(await attachment.value('b')).toBe('alive')
})

test('a cancel that comes before a handler began in a process ends it as never started', async () => {
  await using it = await setup(ENV)
  const { attachment } = it
  attachment.assign('a', 'test.echo', 1, { lane })
  attachment.cancel('a', { graceMs: 60_000 })
  expect(await attachment.result('a')).toMatchObject({ neverStarted: true })
})

test('processes do not outlive an executor that is killed, however busy they are', {
  timeout: 60_000,
}, async () => {
  await using scheduler = await startFakeScheduler()
  await using executor = await spawnProcess({
    main: new URL('../main.ts', import.meta.url),
    env: {
      ...ENV,
      OFFSTAGE_JOBS: TEST_JOBS,
      OFFSTAGE_SCHEDULER: scheduler.address,
      OFFSTAGE_EXECUTOR_PORT: '0',
    },
    ready: /serving gRPC/,
  })
  const attachment = await scheduler.attachment()
  attachment.assign('a', 'test.confined', { spins: true }, { lane })
  const pid = await pidOf(attachment, 'a')
  await executor.kill('SIGKILL')
  await until(() => !isAlive(pid), { what: 'the process is gone' })
})
