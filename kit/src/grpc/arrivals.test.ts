import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { Arrivals } from './arrivals.ts'

/** Arrivals by a clock that stands still, and sockets that are nowhere. */
function setup() {
  let nowMs = 0
  const arrivals = new Arrivals(() => nowMs)
  const letIn: number[] = []
  let count = 0
  const arrive = (remoteAddress = '10.0.0.1') => {
    const index = count
    count += 1
    const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false })
    const destroy = () => {
      socket.destroyed = true
      socket.emit('close')
    }
    arrivals.arrive(Object.assign(socket, { destroy }) as unknown as Socket, () =>
      letIn.push(index),
    )
    return Object.assign(socket, { destroy })
  }
  const pass = (ms: number) => {
    nowMs += ms
    vi.advanceTimersByTime(ms)
  }
  vi.useFakeTimers()
  return { arrivals, letIn, arrive, pass, [Symbol.dispose]: () => void vi.useRealTimers() }
}

const times = (n: number, work: () => unknown) => {
  for (let i = 0; i < n; i += 1) work()
}

test('two hundred connections that nothing becomes of are let in at once, then twenty a second, in order', () => {
  using it = setup()
  times(230, () => it.arrive())
  expect(it.letIn).toHaveLength(200)
  it.pass(1_000)
  expect(it.letIn.length).toBeGreaterThan(210)
  expect(it.letIn.length).toBeLessThan(225)
  it.pass(1_000)
  expect(it.letIn).toEqual(Array.from({ length: 230 }, (_, i) => i))
})

test('connections on which somebody is known cost nothing, and make room for those that wait', () => {
  using it = setup()
  times(250, () => it.arrive())
  expect(it.letIn).toHaveLength(200)
  it.arrivals.known('10.0.0.1')
  expect(it.letIn).toHaveLength(250)
  times(5_000, () => {
    it.arrive()
    it.arrivals.known('10.0.0.1')
  })
  expect(it.letIn).toHaveLength(5_250)
})

test('an address whose known callers have gone has the room of others again', () => {
  using it = setup()
  const gone = it.arrivals.known('10.0.0.1')
  times(300, () => it.arrive())
  expect(it.letIn).toHaveLength(300)
  gone()
  it.arrive()
  expect(it.letIn).toHaveLength(300)
})

test('calls of nobody known count, and what was spent is made up for in a while however much it was', () => {
  using it = setup()
  times(1_000_000, () => it.arrivals.spend('10.0.0.1'))
  it.arrive()
  it.arrive('10.0.0.2')
  expect(it.letIn).toEqual([1])
  it.pass(10_100)
  expect(it.letIn).toEqual([1, 0])
})

test('of one address a hundred wait, who goes makes room, and all are let go of at the end', () => {
  using it = setup()
  times(200, () => it.arrive())
  const [first, ...waiting] = Array.from({ length: 100 }, () => it.arrive())
  expect(it.arrive().destroyed).toBe(true)
  first?.destroy()
  const last = it.arrive()
  expect([last, ...waiting].some(({ destroyed }) => destroyed)).toBe(false)
  it.arrivals.stop()
  expect([last, ...waiting].every(({ destroyed }) => destroyed)).toBe(true)
  expect(it.letIn).toHaveLength(200)
})
