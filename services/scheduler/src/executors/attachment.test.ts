import { expect, test } from 'vitest'
import type { RunningJob } from '../domain/held-job.ts'
import { attachmentId, session } from '../testing/session.ts'
import { Attachment } from './attachment.ts'
import type { Outgoing } from './outgoing-frames.ts'

function attached() {
  const frames: Outgoing[] = []
  const attachment = new Attachment({
    id: attachmentId(),
    ...session(),
    namespace: 'default',
    name: 'test',
    methods: [],
    lanes: [{ lane: 1, slots: 10 }],
    pools: [''],
    send: (frame) => frames.push(frame),
    end: () => {},
  })
  return { attachment, frames }
}

const job = (id: string): RunningJob => ({
  id,
  namespace: 'default',
  method: 'test.job',
  owner: 'dev',
  lane: 1,
  attempt: 1,
  failures: 0,
  key: '',
  parentId: '',
  params: { type: '' },
  labels: undefined,
  traceparent: '',
  options: undefined,
})

test('what is said in one turn leaves in one frame', async () => {
  const { attachment, frames } = attached()
  attachment.assign(job('a'))
  attachment.assign(job('b'))
  attachment.acknowledge({ jobId: 'c', attempt: 1 })
  await new Promise(setImmediate)
  expect(frames).toHaveLength(1)
  expect(frames[0]?.assignments.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(frames[0]?.acknowledged).toHaveLength(1)
})

test('assignments that are too much for one frame leave in several, cancels with the last', async () => {
  const { attachment, frames } = attached()
  const inline = Buffer.alloc(60_000)
  for (let i = 0; i < 400; i++) attachment.assign({ ...job(`${i}`), params: { inline, type: '' } })
  attachment.assign({ ...job('large'), params: { inline: Buffer.alloc(3_000_000), type: '' } })
  attachment.cancel({ jobId: '1', attempt: 1, reason: '', graceMs: 1 })
  await new Promise(setImmediate)
  const ids = frames.flatMap(({ assignments }) => assignments.map(({ id }) => id))
  expect(ids).toEqual([...Array.from({ length: 400 }, (_, i) => `${i}`), 'large'])
  const alone = frames.filter(({ assignments }) => assignments.length > 17)
  expect(alone).toEqual([])
  expect(frames.map(({ cancels }) => cancels.length)).toEqual([...frames.slice(1).map(() => 0), 1])
})

test('no more slots are free than were announced, and none of a lane that was not', () => {
  const { attachment } = attached()
  expect(attachment.creditFault({ lane: 1, slots: 10 })).toBeUndefined()
  attachment.grant(1, 10)
  expect(attachment.creditFault({ lane: 1, slots: 1 })).toMatchObject({ field: 'slots' })
  expect(attachment.creditFault({ lane: 1, slots: -1 })).toMatchObject({ field: 'slots' })
  attachment.reserve(1, 3)
  expect(attachment.creditFault({ lane: 1, slots: 3 })).toBeUndefined()
  expect(attachment.creditFault({ lane: 1, slots: 4 })).toMatchObject({ field: 'slots' })
  expect(attachment.creditFault({ lane: 2, slots: 1 })).toMatchObject({ field: 'lane' })
  expect(attachment.creditFault({ lane: 7, slots: 0 })).toMatchObject({ field: 'lane' })
})

test('a fence for an old attempt leaves the present one in place', () => {
  const { attachment } = attached()
  attachment.assign({ ...job('a'), attempt: 2 })
  attachment.fence({ jobId: 'a', attempt: 1 })
  expect(attachment.running.has('a')).toBe(true)
  attachment.fence({ jobId: 'a', attempt: 2 })
  expect(attachment.running.has('a')).toBe(false)
})

test('after the stream has ended nothing is taken and nothing is sent', async () => {
  const { attachment, frames } = attached()
  attachment.grant(1, 5)
  attachment.assign(job('a'))
  attachment.detach()
  await new Promise(setImmediate)
  expect(frames).toEqual([])
  expect(attachment.credits(1)).toBe(0)
})

test('a job that comes again while it is believed to run here is refused, not sent', async () => {
  const { attachment, frames } = attached()
  expect(attachment.assign(job('a'))).toBe('sent')
  expect(attachment.assign({ ...job('a'), attempt: 2 })).toBe('clashes')
  attachment.end({ jobId: 'a', attempt: 1 })
  expect(attachment.assign({ ...job('a'), attempt: 2 })).toBe('sent')
  await new Promise(setImmediate)
  expect(frames[0]?.assignments.map(({ attempt }) => attempt)).toEqual([1, 2])
})

test('a job whose end was told is given again though it is not known yet that this is recorded', async () => {
  const { attachment, frames } = attached()
  const first = job('a')
  attachment.assign(first)
  attachment.waits({ jobId: 'a', attempt: 1 }, true)
  attachment.ending.add(first)
  expect(attachment.assign(first)).toBe('runs')
  expect(attachment.assign({ ...first, attempt: 2 })).toBe('sent')
  attachment.end({ jobId: 'a', attempt: 1 })
  expect(attachment.running.get('a')?.attempt).toBe(2)
  expect(attachment.waitsOnly(first.owner)).toBe(false)
  await new Promise(setImmediate)
  expect(frames[0]?.assignments.map(({ attempt }) => attempt)).toEqual([1, 2])
})

test('it is heard from until its lease was renewed for all it said, and while a frame is taken in', async () => {
  const { attachment } = attached()
  attachment.renewed(attachment.words)
  expect(attachment.heard).toBe(false)
  const taken = Promise.withResolvers<void>()
  const hearing = attachment.hear(() => taken.promise)
  attachment.renewed(attachment.words)
  expect(attachment.heard).toBe(true)
  taken.resolve()
  await hearing
  expect(attachment.heard).toBe(false)
  const words = attachment.words
  await attachment.hear(async () => {})
  attachment.renewed(words)
  expect(attachment.heard).toBe(true)
})
