import { execFileSync } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Lane } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import {
  type EndOfThread,
  MISCHIEF_ENDS,
  type Mischief,
  UNLIKELY_ERRORS,
} from '../testing/hostile-jobs.ts'
import { type Setup, setup } from '../testing/setup.ts'

/** Two attempts that go on for good on the common thread of the inline lane. */
async function withNeighbours(env: Record<string, string> = {}): Promise<Setup> {
  const it = await setup(env)
  for (const id of ['n1', 'n2']) {
    it.attachment.assign(id, 'test.obedient')
    await it.attachment.running(id)
  }
  return it
}

const ENDS_BY_ITSELF = [
  ...['nextTick', 'rejection', 'timer', 'exit', 'later', 'overflowInTimer', 'overflowInPromise'],
] as EndOfThread[]

test.each(ENDS_BY_ITSELF)(
  'a handler that ends its thread (%s) fails alone: its neighbours are handed back, and its method runs apart',
  async (by) => {
    await using it = await withNeighbours()
    const { attachment, executor } = it
    attachment.assign('a', 'test.end-thread', { by })
    const fault = await attachment.fault('a')
    expect(fault).toMatchObject({ reason: 'EXECUTOR_THREAD_LOST', retryable: true })
    expect(fault.detail).toMatch(/nobody catches this|exited with code 3|call stack size exceeded/)
    await until(() => attachment.handedBack.length === 2)
    expect(attachment.handedBack).toEqual(['n1', 'n2'])
    expect(attachment.results).toHaveLength(1)
    expect(executor.lanes[0].methodsApart).toEqual(['test.end-thread'])
    expect(it.logged).toContainEqual(
      expect.objectContaining({
        msg: 'a handler thread ended by itself',
        method: 'test.end-thread',
        handedBack: 2,
      }),
    )
  },
)

test('what a handler throws without anybody to catch it is told, whatever it is', async () => {
  await using it = await withNeighbours()
  const { attachment } = it
  for (const by of UNLIKELY_ERRORS) {
    attachment.assign(by, 'test.throw-unlikely', { by })
    const { reason, detail } = await attachment.fault(by)
    expect(reason).toBe('EXECUTOR_THREAD_LOST')
    expect(detail.length).toBeLessThanOrEqual(32 * 1024)
  }
  expect(attachment.open).toBe(true)
})

test('a handler in a call that nothing interrupts ends all the same, and keeps neither its neighbours nor the executor', async () => {
  const pipe = join(await mkdtemp(join(tmpdir(), 'offstage-pipe-')), 'pipe')
  execFileSync('mkfifo', [pipe])
  await using it = await withNeighbours()
  const { attachment } = it
  attachment.assign('a', 'test.stuck', { pipe })
  await attachment.running('a')
  attachment.cancel('a', { graceMs: 100 })
  expect((await attachment.result('a')).outcome?.$case).toBe('canceled')
  await until(() => attachment.handedBack.length === 2)
  expect(it.logged).toContainEqual(
    expect.objectContaining({ msg: expect.stringContaining('a call that does not return') }),
  )
  await it.executor.stop()
  // Lets the thread end.
  await writeFile(pipe, '')
})

test('a handler that fills the heap fails alone, as one that ran out of memory', async () => {
  await using it = await withNeighbours({ OFFSTAGE_EXECUTOR_THREAD_HEAP: '48MiB' })
  const { attachment } = it
  attachment.assign('a', 'test.end-thread', { by: 'memory' satisfies EndOfThread })
  const fault = await attachment.fault('a')
  expect(fault).toMatchObject({ reason: 'OUT_OF_MEMORY', retryable: true })
  expect(fault.detail).toMatch(/^ERR_WORKER_OUT_OF_MEMORY|^The thread held/)
  await until(() => attachment.handedBack.length === 2)
})

test.each(Object.keys(MISCHIEF_ENDS) as Mischief[])(
  'a handler that does what harms no thread (%s) ends as it would, and its neighbours run on',
  async (what) => {
    await using it = await withNeighbours()
    const { attachment, executor } = it
    attachment.assign('a', 'test.mischief', { what })
    const { outcome } = await attachment.result('a')
    const said = outcome?.$case === 'failed' ? outcome.value.brief : outcome?.$case
    expect(said).toMatch(MISCHIEF_ENDS[what])
    for (const id of ['n1', 'n2']) attachment.cancel(id, { graceMs: 60_000 })
    for (const id of ['n1', 'n2']) {
      expect((await attachment.result(id)).outcome?.$case).toBe('canceled')
    }
    expect(executor.counts).toMatchObject({ handedBack: 0, lost: 0, endedByForce: 0 })
    expect(attachment.open).toBe(true)
  },
)

test('of a thread that an attempt ends after its own end, all are handed back', async () => {
  await using it = await withNeighbours()
  const { attachment, executor } = it
  attachment.assign('a', 'test.time-bomb')
  await attachment.value('a')
  await until(() => attachment.handedBack.length === 2)
  expect(attachment.results).toHaveLength(1)
  expect(executor.lanes[0].methodsApart).toEqual(['test.time-bomb'])
})

test('where nobody can tell who has ended a thread all are handed back, and who does it again is charged', {
  timeout: 60_000,
}, async () => {
  await using it = await withNeighbours()
  const { attachment } = it
  attachment.assign('a', 'test.end-thread', { by: 'silently' })
  await until(() => attachment.handedBack.length === 3)
  for (const id of ['n1', 'n2']) {
    attachment.assign(id, 'test.obedient', undefined, { attempt: 2 })
    const said = () => attachment.messages.filter(({ jobId }) => jobId === id)
    await until(() => said().length === 2)
  }
  attachment.assign('a', 'test.end-thread', { by: 'silently' }, { attempt: 2 })
  expect(await attachment.fault('a')).toMatchObject({ reason: 'EXECUTOR_THREAD_LOST' })
  expect(attachment.handedBack).toHaveLength(3)
})

test('a thread that holds more than it may outside of its heap is ended, and its handler fails with what it held', {
  timeout: 60_000,
}, async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_THREAD_HEAP: '96MiB' })
  const { attachment } = it
  const lane = Lane.LANE_TASK
  attachment.assign('modest', 'test.hoard', { mib: 8 }, { lane })
  attachment.assign('hoarding', 'test.hoard', { mib: 160 }, { lane })
  const ended = () => attachment.results.length > 0
  await until(ended, { timeoutMs: 40_000 })
  const fault = await attachment.fault('hoarding')
  expect(fault).toMatchObject({ reason: 'OUT_OF_MEMORY', retryable: true })
  expect(fault.detail).toMatch(/^The thread held \d+ MiB, in its heap and outside of it, .* 96 MiB/)
  attachment.cancel('modest', { graceMs: 60_000 })
  expect(await attachment.value('modest')).toBe(8)
})
