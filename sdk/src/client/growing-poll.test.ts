import { expect, test } from 'vitest'
import { createManualClock } from '../idle/manual-clock.ts'
import { GrowingPoll } from './growing-poll.ts'

function setUp() {
  const clock = createManualClock()
  const asked: { atMs: number; ids: string[] }[] = []
  const poll = new GrowingPoll(clock, async (ids) => {
    asked.push({ atMs: clock.now(), ids })
  })
  return { clock, asked, poll }
}

test('intervals begin with 1 s, grow by 1.4 and stay at 15 s', async () => {
  const { clock, asked, poll } = setUp()
  poll.add('a')
  await clock.advance(120_000)
  const times = [0, ...asked.map(({ atMs }) => atMs)]
  const intervals = times.slice(1).map((atMs, at) => Math.round(atMs - (times[at] ?? 0)))
  expect(intervals.slice(0, 12)).toEqual([
    1000, 1400, 1960, 2744, 3842, 5378, 7530, 10541, 14758, 15000, 15000, 15000,
  ])
})

test('jobs that are due close together are asked after in one call', async () => {
  const { clock, asked, poll } = setUp()
  poll.add('a')
  await clock.advance(60)
  poll.add('b')
  await clock.advance(940)
  expect(asked).toEqual([{ atMs: 1000, ids: ['a', 'b'] }])
})

test('more than a thousand jobs are asked after in several calls', async () => {
  const { clock, asked, poll } = setUp()
  for (let at = 0; at < 2500; at += 1) poll.add(`job-${at}`)
  await clock.advance(1000)
  expect(asked.map(({ ids }) => ids.length)).toEqual([1000, 1000, 500])
})

test('a job is not asked after again while the answer is out', async () => {
  const clock = createManualClock()
  const answers: (() => void)[] = []
  const poll = new GrowingPoll(clock, () => new Promise((resolve) => answers.push(resolve)))
  poll.add('a')
  await clock.advance(3000)
  expect(answers).toHaveLength(1)
  answers[0]?.()
  await clock.advance(3000)
  expect(answers).toHaveLength(2)
})

test('nothing is asked and no timer left when nobody waits', async () => {
  const { clock, asked, poll } = setUp()
  poll.add('a')
  poll.add('b')
  poll.remove('a')
  poll.remove('b')
  expect(clock.pendingTimers).toBe(0)
  await clock.advance(60_000)
  expect(asked).toEqual([])
})

test('jobs that are looked after are not asked after, until they no longer are', async () => {
  const clock = createManualClock()
  const asked: string[] = []
  const lookedAfter = new Set(['a', 'b'])
  const ask = async (ids: string[]) => void asked.push(...ids)
  const poll = new GrowingPoll(clock, ask, (id) => lookedAfter.has(id))
  for (const id of ['a', 'b', 'c']) poll.add(id)
  await clock.advance(1000)
  expect(asked).toEqual(['c'])
  lookedAfter.delete('a')
  await clock.advance(1400)
  expect(asked).toEqual(['c', 'a', 'c'])
})
