import { describe, expect, test } from 'vitest'
import {
  BIRTHS,
  isTerminal,
  JobState,
  leaving,
  move,
  TRANSITIONS,
  type Transition,
} from './job-state.ts'

/** The whole table, told a second time: from → moves allowed there. docs/job-states.md draws it. */
const ALLOWED: Record<keyof typeof JobState, Partial<Record<Transition, keyof typeof JobState>>> = {
  scheduled: {
    promote: 'queued',
    expire: 'failed',
    abandon: 'failed',
    turnAway: 'failed',
    cancelUnstarted: 'canceled',
  },
  queued: { claim: 'running', expire: 'failed', abandon: 'failed', cancelUnstarted: 'canceled' },
  running: {
    waitForChildren: 'waiting',
    awaitAttached: 'waiting',
    succeed: 'succeeded',
    fail: 'failed',
    retry: 'scheduled',
    requeue: 'queued',
    poison: 'failed',
    cancelRunning: 'canceled',
  },
  waiting: {
    resume: 'running',
    awaitAttached: 'waiting',
    complete: 'succeeded',
    failAttached: 'failed',
    cancelWaiting: 'canceled',
    succeed: 'succeeded',
    fail: 'failed',
    retry: 'scheduled',
    requeue: 'queued',
    poison: 'failed',
    cancelRunning: 'canceled',
  },
  succeeded: {},
  failed: { startAnew: 'queued' },
  canceled: { startAnew: 'queued' },
}

describe('every move of every state', () => {
  for (const [name, state] of Object.entries(JobState)) {
    for (const transition of Object.keys(TRANSITIONS) as Transition[]) {
      const to = ALLOWED[name as keyof typeof JobState][transition]
      test(`${name} ${to === undefined ? 'refuses' : 'allows'} ${transition}`, () => {
        expect(move(state, transition)).toBe(to === undefined ? undefined : JobState[to])
      })
    }
  }
})

test('a start records a job as scheduled, queued, running or, below a canceled parent, canceled', () => {
  const { scheduled, queued, running, canceled } = JobState
  expect(BIRTHS).toEqual({ later: scheduled, queued, atOnce: running, doomed: canceled })
})

test('a terminal state is one that no move leaves but the one somebody asks for', () => {
  for (const state of Object.values(JobState)) {
    const { startAnew: _, ...byItself } = TRANSITIONS
    const leaves = Object.values(byItself).some(({ from }) =>
      (from as readonly JobState[]).includes(state),
    )
    expect(isTerminal(state)).toBe(!leaves)
  }
})

test('statements name the states they leave as the table does', () => {
  expect(leaving('succeed')).toBe('state IN (3, 4)')
  expect(leaving('claim', 'j.state')).toBe('j.state IN (2)')
})
