import { createInProcessBus } from '@offstage/kit/bus'
import { expect, test } from 'vitest'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { Completion } from '../domain/job.ts'
import { JobState } from '../domain/job-state.ts'
import { createJobEvents } from '../events/job-events.ts'
import { changedJob } from '../testing/attachment.ts'
import { JobFeed, type JobListener } from '../waits/job-feed.ts'
import { Backlog } from './backlog.ts'
import { createChanges } from './changes.ts'

const completion: Completion = {
  state: JobState.succeeded,
  result: undefined,
  additionalResult: undefined,
  error: undefined,
  cancelOutcome: CancelOutcome.unknown,
  finishTime: new Date(0),
}

function setup() {
  const bus = createInProcessBus()
  const subjects: string[] = []
  bus.subscribe('offstage.v1.>', ({ subject }) => subjects.push(subject))
  const events = createJobEvents(bus)
  const feed = new JobFeed(events)
  const backlog = new Backlog({ events, poolsOf: () => [''] })
  const isAwaited = (_: string, method: string) => method === 'test.limited'
  let freed = 0
  const keyFreed = () => {
    freed += 1
  }
  const parents: string[] = []
  const lookAtParents = (ids: readonly string[]) => void parents.push(...ids)
  const changed = createChanges({ feed, events, backlog, isAwaited, keyFreed, lookAtParents })
  const told: [string, boolean][] = []
  for (const id of ['a', 'b', 'c']) {
    const listener: JobListener = {
      hint: (_, standing) => told.push([id, standing !== undefined]),
      found: () => {},
    }
    feed.listen('default', id, listener, { elsewhere: false, caller: 'ann' })
  }
  const dispose = () => bus[Symbol.asyncDispose]()
  return {
    changed,
    backlog,
    told,
    parents,
    subjects,
    freed: () => freed,
    [Symbol.asyncDispose]: dispose,
  }
}

test('whoever waits is told of an end with how it ended, and of any other state without', async () => {
  await using it = setup()
  it.changed([
    changedJob('a', { state: JobState.succeeded, completion }),
    changedJob('b', { state: JobState.scheduled }),
  ])
  expect(it.told).toEqual([
    ['a', true],
    ['b', false],
  ])
})

test('a job that came back into the queue is noted here and announced to other replicas', async () => {
  await using it = setup()
  it.changed([
    changedJob('a', { state: JobState.queued }),
    changedJob('b', { state: JobState.queued }),
  ])
  expect(it.backlog.has({ namespace: 'default', method: 'test.job', lane: 1, pool: '' })).toBe(true)
  await expect
    .poll(() => it.subjects.filter((subject) => subject.includes('.queues.')))
    .toEqual(['offstage.v1.default.queues.test.job.ready'])
})

test('only the end of a job that held a key frees one', async () => {
  await using it = setup()
  it.changed([
    changedJob('a', { state: JobState.succeeded, completion }),
    changedJob('b', { state: JobState.scheduled, key: 'k' }),
  ])
  expect(it.freed()).toBe(0)
  it.changed([changedJob('c', { state: JobState.succeeded, completion, key: 'k' })])
  expect(it.freed()).toBe(1)
})

test('parents are looked at where an attached child ends, and where their own handler has returned', async () => {
  await using it = setup()
  it.changed([
    changedJob('a', { state: JobState.failed, completion, attachedTo: 'p' }),
    changedJob('b', { state: JobState.scheduled, attachedTo: 'q' }),
    changedJob('c', { state: JobState.waiting }),
  ])
  expect(it.parents).toEqual(['p', 'c'])
})

test('an end of a job whose method has limits lets the queues of the method be looked at, everywhere', async () => {
  await using it = setup()
  it.changed([changedJob('a', { method: 'test.limited', state: JobState.succeeded, completion })])
  await expect.poll(() => it.subjects).toContain('offstage.v1.default.queues.test.limited.ready')
  const queue = { namespace: 'default', method: 'test.limited', lane: 1, pool: '' } as const
  expect(it.backlog.has(queue)).toBe(true)
})
