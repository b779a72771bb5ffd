import { type JobEvent, JobMessage, JobState } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { succeeded } from '../testing/fake-completions.ts'
import { type JobListener, TrackedJob } from './tracked-job.ts'

const said = (sequence: number): JobEvent => ({
  jobId: 'a',
  event: { $case: 'message', value: JobMessage.fromPartial({ sequence, text: `${sequence}` }) },
})

function setUp(read: (after: number) => Promise<number[]> = async () => [], isWhole = true) {
  const released: boolean[] = []
  const heard: (number | string)[] = []
  const reads: number[] = []
  const job = new TrackedJob('a', {
    isWhole,
    async readMessages(_id, after, take) {
      reads.push(after)
      const message = { severity: 'info', text: '' } as const
      for (const sequence of await read(after)) take({ ...message, sequence })
    },
    release: (ended) => released.push(ended),
  })
  const listener: JobListener = {
    onMessage: ({ sequence }) => heard.push(sequence),
    onEnd: (_completion, messages) => heard.push(`end after ${messages?.length}`),
    onLost: (error) => heard.push(`lost: ${error}`),
  }
  job.addListener(listener)
  return { job, heard, reads, released, listener }
}

const ended: JobEvent = { jobId: 'a', event: { $case: 'completion', value: succeeded() } }

test('a message that comes twice is told and kept once', () => {
  const { job, heard } = setUp()
  for (const sequence of [1, 2, 1, 2, 3]) job.apply(said(sequence))
  job.apply(ended)
  expect(heard).toEqual([1, 2, 3, 'end after 3'])
})

test('the end is told once, and nothing after it', () => {
  const { job, heard, released } = setUp()
  job.apply(ended)
  job.endByPoll(succeeded())
  job.applyState(JobState.JOB_STATE_RUNNING)
  expect(heard).toEqual(['end after 0'])
  expect(released).toEqual([true])
})

test('an end that may be meant for an earlier target claims to know no messages', () => {
  const { job, heard } = setUp(undefined, false)
  job.apply(said(1))
  job.apply(ended)
  expect(heard).toEqual([1, 'end after undefined'])
})

test('the end waits for a gap to be filled, and what comes meanwhile is told in order', async () => {
  const gate = Promise.withResolvers<void>()
  const { job, heard, reads } = setUp(async (after) => {
    if (after === 1) await gate.promise
    return after === 1 ? [2, 3] : [4]
  })
  job.apply(said(1))
  job.apply(said(3))
  job.apply(said(4))
  job.apply(ended)
  expect(heard).toEqual([1])
  gate.resolve()
  await expect.poll(() => heard.at(-1)).toBe('end after 4')
  expect(heard).toEqual([1, 2, 3, 4, 'end after 4'])
  expect(reads).toEqual([1, 3])
})

test('messages the scheduler no longer has are passed over', async () => {
  const { job, heard } = setUp(async (after) => (after < 5 ? [5, 6] : []))
  job.apply(said(6))
  await job.fill()
  job.apply(said(7))
  expect(heard).toEqual([5, 6, 7])
})

test('a gap that cannot be filled ends the waits', async () => {
  const { job, heard, released } = setUp(() => Promise.reject(new Error('no rights')))
  job.apply(said(2))
  await expect.poll(() => heard).toEqual(['lost: Error: no rights'])
  expect(released).toEqual([false])
})
