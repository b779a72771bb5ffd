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

test('what threads have seen is added up, those that have ended with nothing open', () => {
  const ledger = new LeakLedger()
  ledger.note(one, seen(2, timers('at a', 2), heap(10)))
  ledger.note(one, seen(3, timers('at a', 3), heap(20)))
  ledger.note(other, seen(4, timers('at b', 1), timers('at a', 4)))
  const all = [timers('at a', 7), heap(20), timers('at b', 1)]
  expect(ledger.all).toEqual([{ name: 'test.job', runs: 7, leaks: expect.arrayContaining(all) }])
  ledger.ended(one)
  const [figures] = ledger.all
  expect(figures?.leaks).toEqual([timers('at a', 7, 4), timers('at b', 1)])
  ledger.ended(other)
  ledger.ended(other)
  expect(ledger.all).toEqual(seen(7, timers('at a', 7, 0), timers('at b', 1, 0)))
})

test('a thread that begins anew, since it was told to stop meanwhile, adds to what it had seen', () => {
  const ledger = new LeakLedger()
  ledger.note(one, seen(5, timers('at a', 5)))
  ledger.note(one, seen(1, timers('at a', 1)))
  expect(ledger.all).toEqual(seen(6, timers('at a', 6, 1)))
})

test('what has changed is taken once, and again where it could not be told', () => {
  const ledger = new LeakLedger()
  expect(ledger.takeChanged()).toEqual([])
  ledger.note(one, seen(1))
  const taken = ledger.takeChanged()
  expect(taken).toEqual(seen(1))
  expect(ledger.takeChanged()).toEqual([])
  ledger.note(one, seen(2))
  ledger.giveBack(taken)
  expect(ledger.takeChanged()).toEqual(seen(2))
})
