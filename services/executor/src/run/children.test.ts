import assert from 'node:assert/strict'
import { Lane } from '@offstage/proto/jobs'
import { LANES } from '@offstage/proto/lanes'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { RESTING_THREADS } from '../lanes/resting-threads.ts'
import { type Setup, setup } from '../testing/setup.ts'

test('a parent that waits gives its slot back and goes on without one (row J11)', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_TASK_SLOTS: '1' })
  const { attachment, scheduler } = it
  attachment.assign('parent', 'test.parent', undefined, { lane: Lane.LANE_TASK })
  const waiting = () => attachment.frames.flatMap((frame) => frame.waiting)
  await until(() => waiting().length === 1, { what: 'the parent waits' })
  expect(waiting()).toEqual([{ jobId: 'parent', attempt: 1, waiting: true }])
  await until(() => attachment.credits(Lane.LANE_TASK) === 2, { what: 'its credit is back' })

  // Its slot runs another job while its own thread is parked.
  attachment.assign('other', 'test.echo', 1, { lane: Lane.LANE_TASK })
  expect(await attachment.value('other')).toBe(1)
  scheduler.jobs.endChildren()
  expect(await attachment.value('parent')).toEqual([7, 7])
  expect(waiting().map((report) => report.waiting)).toEqual([true, false])
  expect(attachment.credits(Lane.LANE_TASK)).toBe(3)
})

test('parents that wait leave the inline lane to their children', async () => {
  await using it = await setup({ OFFSTAGE_EXECUTOR_INLINE_SLOTS: '1' })
  const parents = 200
  for (let n = 0; n < parents; n += 1) it.attachment.assign(`parent ${n}`, 'test.parent')
  const [inline] = it.executor.lanes
  await until(() => inline.slots.parked === parents, { what: 'all to wait', timeoutMs: 30_000 })
  expect(inline.slots.active).toBe(0)
  it.attachment.assign('child', 'test.echo', 1)
  expect(await it.attachment.value('child')).toBe(1)
  it.scheduler.jobs.endChildren()
  expect(await it.attachment.value(`parent ${parents - 1}`)).toEqual([7, 7])
})

/** Threads are slow to start where the machine is busy. */
const PATIENTLY = { timeoutMs: 60_000 }

/** As credits permit: one of the slots at a time. */
async function parkParents({ attachment, executor }: Setup, name: 'task' | 'work', count: number) {
  const lane = executor.lanes.find((each) => each.name === name)
  assert(lane !== undefined)
  for (let n = 0; n < count; n += 1) {
    attachment.assign(`parent ${n}`, 'test.parent', undefined, { lane: LANES[name] })
    const what = `${n + 1} parents wait`
    await until(() => lane.slots.parked === n + 1, { what, ...PATIENTLY })
  }
  return lane
}

test.each(['task', 'work'] as const)(
  'parents that wait share threads once there are many, and their children run there (lane %s)',
  { timeout: 180_000 },
  async (name) => {
    await using it = await setup({
      OFFSTAGE_EXECUTOR_TASK_SLOTS: '2',
      OFFSTAGE_EXECUTOR_WORK_SLOTS: '2',
    })
    const { attachment, scheduler } = it
    const parents = 2 * RESTING_THREADS
    const lane = await parkParents(it, name, parents)
    const threads = () => [...lane.threads]
    expect(threads()).toHaveLength(RESTING_THREADS)

    // None of them is in the way of a child, nor takes it along when it ends.
    attachment.assign('child', 'test.echo', 1, { lane: LANES[name] })
    expect(await attachment.value('child')).toBe(1)
    expect(threads()).toHaveLength(RESTING_THREADS)
    scheduler.jobs.endChildren()
    for (let n = 0; n < parents; n += 1) {
      expect(await attachment.value(`parent ${n}`)).toEqual([7, 7])
    }
    expect(lane.slots).toMatchObject({ active: 0, parked: 0 })
    const left = name === 'task' ? 2 : 0
    await until(() => threads().length <= left, { what: `${left} threads are left`, ...PATIENTLY })
  },
)

test('a thread that is lost takes the parents along that wait on it, uncharged, and charges who ran there', {
  timeout: 180_000,
}, async () => {
  await using it = await setup({
    OFFSTAGE_EXECUTOR_TASK_SLOTS: '2',
    OFFSTAGE_EXECUTOR_THREAD_HEAP: '96MiB',
  })
  const { attachment } = it
  const parents = RESTING_THREADS + 2
  const task = await parkParents(it, 'task', parents)
  // Nobody says at its end whose code it was.
  attachment.assign('hoards', 'test.hoard', { mib: 160 }, { lane: Lane.LANE_TASK })
  await until(() => attachment.results.length > 0, { what: 'the hoarder ends', ...PATIENTLY })
  expect(await attachment.fault('hoards')).toMatchObject({ reason: 'OUT_OF_MEMORY' })
  await until(() => attachment.handedBack.length > 0, { what: 'the parents of its thread' })
  expect(attachment.handedBack).toEqual(['parent 2'])
  expect(attachment.results.map(({ jobId }) => jobId)).toEqual(['hoards'])
  expect(task.slots).toMatchObject({ active: 0, parked: parents - 1 })
})

test('jobs that a handler starts are children, for the same owner (rows J5, J11)', async () => {
  await using it = await setup()
  it.scheduler.jobs.endChildren()
  it.attachment.assign('parent', 'test.parent')
  await it.attachment.result('parent')
  expect(it.scheduler.jobs.starts.map(({ job }) => job?.parentJobId)).toEqual(['parent', 'parent'])
  expect(it.scheduler.jobs.users).toEqual(['ann', 'ann'])
})
