import { expect, test } from 'vitest'
import { Attachments } from '../executors/attachments.ts'
import { attach, claimedJob, silentLog } from '../testing/attachment.ts'
import { createDeliver } from './deliver.ts'

function setup() {
  const attachments = new Attachments()
  return { attachments, deliver: createDeliver({ attachments, log: silentLog }) }
}

test('jobs go to the executors they were committed for, in their order', async () => {
  const { attachments, deliver } = setup()
  const [one, two] = [attach(attachments), attach(attachments)]
  const jobs = ['a', 'b', 'c'].map((id, n) => claimedJob(id, (n === 1 ? two : one).attachment.id))
  expect(deliver(jobs)).toEqual([])
  await new Promise(setImmediate)
  expect(one.frames[0]?.assignments.map(({ id }) => id)).toEqual(['a', 'c'])
  expect(two.frames[0]?.assignments.map(({ id }) => id)).toEqual(['b'])
})

test('a job whose executor has left meanwhile goes back into the queue, and the others are sent', async () => {
  const { attachments, deliver } = setup()
  const [left, stays] = [attach(attachments), attach(attachments)]
  left.attachment.detach()
  attachments.remove(left.attachment)
  const back = deliver([claimedJob('a', left.attachment.id), claimedJob('b', stays.attachment.id)])
  expect(back).toEqual([{ jobId: 'a', attachmentId: left.attachment.id, attempt: 1 }])
  await new Promise(setImmediate)
  expect(stays.frames[0]?.assignments.map(({ id }) => id)).toEqual(['b'])
})

test('an executor that drains is not sent what was committed for it meanwhile: that goes back into the queue', async () => {
  const { attachments, deliver } = setup()
  const { attachment, frames } = attach(attachments, { slots: 1 })
  attachment.reserve(1)
  attachment.stopTaking()
  const back = { jobId: 'a', attachmentId: attachment.id, attempt: 1 }
  expect(deliver([claimedJob('a', attachment.id)])).toEqual([back])
  await new Promise(setImmediate)
  expect([frames, attachment.credits(1), attachment.running.size]).toEqual([[], 0, 0])
})

test('an executor that is given a job twice runs it once, and has to attach anew', async () => {
  const { attachments, deliver } = setup()
  const it = attach(attachments)
  const job = claimedJob('a', it.attachment.id)
  expect(deliver([job])).toEqual([])
  expect(deliver([{ ...job, attempt: 2 }])).toEqual([
    { jobId: 'a', attachmentId: it.attachment.id, attempt: 2 },
  ])
  await new Promise(setImmediate)
  expect(it.frames.flatMap(({ assignments }) => assignments)).toHaveLength(1)
  expect(it.closed()).toBe(1)
})

test('a job that is given again under the same attempt goes on where it runs, and the slot taken for it is free', async () => {
  const { attachments, deliver } = setup()
  const it = attach(attachments)
  const job = claimedJob('a', it.attachment.id)
  expect(deliver([job])).toEqual([])
  expect(deliver([job])).toEqual([])
  await new Promise(setImmediate)
  expect(it.frames.flatMap(({ assignments }) => assignments)).toHaveLength(1)
  expect([it.closed(), it.attachment.credits(1)]).toEqual([0, 1])
})

test('an attempt whose executor was told to stop it is not given to it again, the next one is', async () => {
  const { attachments, deliver } = setup()
  const it = attach(attachments)
  const job = claimedJob('a', it.attachment.id)
  deliver([job])
  it.attachment.fence({ jobId: 'a', attempt: 1 })
  expect(deliver([job])).toEqual([{ jobId: 'a', attachmentId: it.attachment.id, attempt: 1 }])
  expect([it.closed(), it.attachment.credits(1)]).toEqual([0, 1])
  expect(deliver([{ ...job, attempt: 2 }])).toEqual([])
  await new Promise(setImmediate)
  expect(it.frames.flatMap(({ assignments }) => assignments.map(({ attempt }) => attempt))).toEqual(
    [1, 2],
  )
})
