import { randomUUID } from 'node:crypto'
import { createInProcessBus } from '@offstage/kit/bus'
import { expect, test } from 'vitest'
import { createJobEvents } from '../events/job-events.ts'
import { JobFeed } from './job-feed.ts'

const DEAF = { hint: () => {}, found: () => {} }

test('more waits than a replica can sweep are refused, and room comes back', async () => {
  await using bus = createInProcessBus()
  const feed = new JobFeed(createJobEvents(bus), 2)
  const listen = (jobId: string) =>
    feed.listen('default', jobId, DEAF, { elsewhere: false, caller: 'ann' })
  const [first, second] = [randomUUID(), randomUUID()]
  const leave = listen(first)
  listen(second)
  // A second listener of the same job takes no room.
  listen(second)
  expect(() => listen(randomUUID())).toThrow('more than 2 jobs are waited for')
  expect(() => feed.makeRoom(1, 'ann')).toThrow('more than 2 jobs are waited for')
  leave()
  feed.makeRoom(1, 'ann')
  listen(randomUUID())
})

test('a job is subscribed to only while somebody listens who asked for it', async () => {
  await using bus = createInProcessBus()
  const events = createJobEvents(bus)
  const feed = new JobFeed(events)
  const jobId = randomUUID()
  const heard: string[] = []
  const quiet = feed.listen(
    'default',
    jobId,
    { ...DEAF, hint: () => heard.push('quiet') },
    {
      elsewhere: false,
      caller: 'ann',
    },
  )
  events.job('default', jobId, 5)
  await bus.flush()
  expect(heard).toEqual([])
  const wide = feed.listen(
    'default',
    jobId,
    { ...DEAF, hint: () => heard.push('wide') },
    {
      elsewhere: true,
      caller: 'ann',
    },
  )
  events.job('default', jobId, 5)
  await bus.flush()
  expect(heard).toEqual(['quiet', 'wide'])
  quiet()
  wide()
  events.job('default', jobId, 5)
  await bus.flush()
  expect(heard).toHaveLength(2)
  expect(feed.size).toBe(0)
})

test('a caller with as many waits as may be is refused more, another is not, and room comes back', async () => {
  await using bus = createInProcessBus()
  const feed = new JobFeed(createJobEvents(bus), 100, 2)
  const listen = (caller: string) =>
    feed.listen('default', randomUUID(), DEAF, { elsewhere: false, caller })
  const leave = listen('mallory')
  listen('mallory')
  expect(() => listen('mallory')).toThrow('more than 2 jobs are waited for by you')
  expect(() => feed.makeRoom(1, 'mallory')).toThrow('more than 2 jobs are waited for by you')
  listen('ann')
  leave()
  leave()
  listen('mallory')
  expect(() => listen('mallory')).toThrow('more than 2 jobs are waited for by you')
})
