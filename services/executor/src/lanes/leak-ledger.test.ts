import { expect, test } from 'vitest'
import type { LeakFigure, LeakFigures } from '../domain/leaks.ts'
import type { HandlerThread } from './handler-thread.ts'
import { LeakLedger } from './leak-ledger.ts'

const [one, other] = [{}, {}] as HandlerThread[] as [HandlerThread, HandlerThread]

const timers = (openedAt: string, left: number, open = left): LeakFigure => ({
  ...{ kind: 'timer', openedAt, runs: left, left, open },
})
const heap = (bytesPerRun: number): LeakFigure => ({
  ...{ kind: 'heap', openedAt: '', runs: 0, left: 0, open: 0, bytesPerRun },
})
const seen = (runs: number, ...leaks: LeakFigure[]): LeakFigures[] => [
  { name: 'test.job', runs, leaks },
]

function tracking(...names: string[]) {
  const ledger = new LeakLedger()
  expect(ledger.track(names, names)).toBe(1)
  return ledger
}

test('what threads have seen is added up, those that have ended with nothing open', () => {
  const ledger = tracking('test.job')
  ledger.note(one, seen(2, timers('at a', 2), heap(10)), 1)
  ledger.note(one, seen(3, timers('at a', 3), heap(20)), 1)
  ledger.note(other, seen(4, timers('at b', 1), timers('at a', 4)), 1)
  const all = [timers('at a', 7), heap(20), timers('at b', 1)]
  expect(ledger.all).toEqual([{ name: 'test.job', runs: 7, leaks: expect.arrayContaining(all) }])
  ledger.ended(one)
  const [figures] = ledger.all
  expect(figures?.leaks).toEqual([timers('at a', 7, 4), timers('at b', 1)])
  ledger.ended(other)
  ledger.ended(other)
  expect(ledger.all).toEqual(seen(7, timers('at a', 7, 0), timers('at b', 1, 0)))
})

test('a thread that goes on, since it was told to stop meanwhile, adds to what it had seen', () => {
  const ledger = tracking('test.job')
  ledger.note(one, seen(5, timers('at a', 5)), 1)
  ledger.note(one, seen(1, timers('at a', 1)), 1)
  expect(ledger.all).toEqual(seen(6, timers('at a', 6, 1)))
})

test('what has changed is taken once, and again where it could not be told', () => {
  const ledger = tracking('test.job')
  expect(ledger.takeChanged()).toEqual([])
  ledger.note(one, seen(1), 1)
  const taken = ledger.takeChanged()
  expect(taken).toEqual(seen(1))
  expect(ledger.takeChanged()).toEqual([])
  ledger.note(one, seen(2), 1)
  ledger.giveBack(taken)
  expect(ledger.takeChanged()).toEqual(seen(2))
})

test('of names that are tracked anew nothing counts that was seen before, said late or not', () => {
  const ledger = tracking('test.job', 'test.other')
  const others: LeakFigures = { name: 'test.other', runs: 3, leaks: [] }
  ledger.note(one, [...seen(5, timers('at a', 5)), others], 1)
  ledger.ended(one)
  ledger.note(other, seen(2, timers('at a', 2)), 1)
  expect(ledger.track([], [])).toBe(2)
  expect(ledger.track(['test.job', 'test.other'], ['test.job'])).toBe(3)
  expect(ledger.takeChanged()).toEqual([others])
  ledger.note(other, seen(4, timers('at a', 4)), 2)
  expect(ledger.all).toEqual([others])
  ledger.note(other, seen(1, timers('at a', 1)), 3)
  ledger.note(other, [{ ...others, runs: 1 }], 2)
  expect(ledger.all).toEqual([{ ...others, runs: 4 }, ...seen(1, timers('at a', 1))])
})

test('a thread that says what cannot be is not believed, and keeps nobody else from being heard', () => {
  const ledger = tracking('test.job')
  const max = Number.MAX_SAFE_INTEGER
  ledger.note(one, seen(max, timers('at a', max)), 1)
  ledger.note(other, seen(max, timers('at a', max)), 1)
  ledger.ended(one)
  expect(ledger.all).toEqual(seen(max, { ...timers('at a', max), runs: max, open: max }))
  // Names that nobody tracks, and an order that was never given.
  for (let n = 0; n < 1_000; n += 1) {
    ledger.note(other, [{ name: `forged.${n}`, runs: 1, leaks: [] }], 1)
    ledger.note(other, seen(n), 2)
  }
  expect(ledger.takeChanged().map(({ name, runs }) => [name, runs])).toEqual([['test.job', max]])
})

test('names that were tracked are remembered, and the oldest of them forgotten', () => {
  const ledger = new LeakLedger()
  for (let n = 0; n <= 200; n += 1) {
    const name = `test.job-${n}`
    ledger.note(one, [{ name, runs: 1, leaks: [] }], ledger.track([name], [name]))
  }
  expect(ledger.all).toHaveLength(200)
  expect(ledger.all.map(({ name }) => name)).not.toContain('test.job-0')
})
