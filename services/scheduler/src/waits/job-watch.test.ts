import { randomUUID } from 'node:crypto'
import { createInProcessBus } from '@offstage/kit/bus'
import { expect, test } from 'vitest'
import type { JobId } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import { createJobEvents } from '../events/job-events.ts'
import { JobFeed } from './job-feed.ts'
import { JobWatch } from './job-watch.ts'

const RUNNING = { state: JobState.running, progressRevision: 0, sequence: 0 }

/** A watch of a job that runs and never changes. */
function setup(beatMs: number) {
  const feed = new JobFeed(createJobEvents(createInProcessBus()))
  const jobId = randomUUID() as JobId
  let reads = 0
  const watch = new JobWatch({
    feed,
    namespace: 'default',
    caller: 'ann',
    beatMs,
    sightOf: () => 'payload',
    onRead: () => undefined,
    readMessages: () => Promise.resolve([]),
    read: async (ids) => {
      reads += 1
      const { state } = RUNNING
      const standing = { namespace: 'default', owner: 'ann', state, completion: undefined }
      return ids.map((id) => ({ id, ...standing, progress: undefined, sequence: 0 }))
    },
  })
  watch.add(jobId, 0)
  return { feed, watch, jobId, reads: () => reads }
}

test('a job is read again where the sweep finds it otherwise than it was told, and else not', async () => {
  const { feed, watch, jobId, reads } = setup(0)
  expect(await watch.read()).toHaveLength(1)
  feed.found(jobId, RUNNING)
  await watch.read()
  expect(reads()).toBe(1)
  for (const news of [{ sequence: 1 }, { progressRevision: 1 }, { state: JobState.waiting }]) {
    const before = reads()
    feed.found(jobId, { ...RUNNING, ...news })
    await watch.read()
    expect(reads(), JSON.stringify(news)).toBe(before + 1)
  }
})

test('the sweep is told again of what ended, and of what somebody may have read since', () => {
  const { feed, jobId } = setup(0)
  const mark = () => feed.awaited()[0]?.mark
  feed.found(jobId, RUNNING)
  expect(mark()).toEqual(RUNNING)
  feed.tell(jobId, 'state')
  expect(mark()).toBeUndefined()
  feed.found(jobId, { ...RUNNING, state: JobState.failed })
  expect(mark()).toBeUndefined()
})

test('a watch has a beat when a sweep is done and nothing is left to read, and only then', async () => {
  const { feed, watch, jobId } = setup(0)
  feed.swept()
  expect(watch.takeBeat(), 'before the job was read').toBe(false)
  await watch.read()
  expect(watch.takeBeat()).toBe(true)
  expect(watch.takeBeat(), 'without another sweep').toBe(false)
  feed.tell(jobId, 'progress')
  feed.swept()
  expect(watch.takeBeat(), 'while there is a hint to follow').toBe(false)
  await watch.read()
  expect(watch.takeBeat()).toBe(true)
  watch[Symbol.dispose]()
  feed.swept()
  expect(watch.takeBeat(), 'after its end').toBe(false)
})

test('beats are few, however often the jobs are swept', async () => {
  const { feed, watch } = setup(60_000)
  await watch.read()
  for (let sweep = 0; sweep < 100; sweep++) feed.swept()
  expect(watch.takeBeat()).toBe(false)
})
