import { expect, test } from 'vitest'
import type { HandlerEnd } from './attempt.ts'
import { type StopCause, verdictOf } from './verdict.ts'

const fault = { brief: 'b', detail: 'd', reason: 'R', retryable: true }
const ENDS: Record<string, HandlerEnd> = {
  succeeded: { kind: 'succeeded', result: '1' },
  failed: { kind: 'failed', fault },
  stopped: { kind: 'stopped' },
  withdrawn: { kind: 'withdrawn' },
  lost: { kind: 'lost', detail: 'it broke', reason: 'EXECUTOR_THREAD_LOST' },
  terminated: { kind: 'terminated' },
}
const CAUSES: Record<string, StopCause | undefined> = {
  none: undefined,
  canceled: { kind: 'canceled', reason: 'enough' },
  overdue: { kind: 'overdue', deadline: 'attempt', ms: 50 },
  draining: { kind: 'draining' },
  fenced: { kind: 'fenced' },
}

// How the handler ended, why it was told to stop, what the scheduler hears.
test.each([
  ['succeeded', 'none', 'succeeded'],
  ['succeeded', 'canceled', 'succeeded'],
  ['succeeded', 'overdue', 'succeeded'],
  ['succeeded', 'draining', 'succeeded'],
  ['succeeded', 'fenced', 'forget'],
  ['failed', 'none', 'R'],
  ['failed', 'canceled', 'R'],
  ['failed', 'overdue', 'R'],
  ['failed', 'draining', 'R'],
  ['failed', 'fenced', 'forget'],
  ['stopped', 'canceled', 'canceled'],
  ['stopped', 'overdue', 'ATTEMPT_DEADLINE_EXCEEDED'],
  ['stopped', 'draining', 'hand-back'],
  ['stopped', 'fenced', 'forget'],
  ['withdrawn', 'canceled', 'never started'],
  ['withdrawn', 'overdue', 'ATTEMPT_DEADLINE_EXCEEDED'],
  ['withdrawn', 'draining', 'hand-back'],
  ['withdrawn', 'fenced', 'forget'],
  ['lost', 'none', 'EXECUTOR_THREAD_LOST'],
  ['lost', 'canceled', 'canceled'],
  ['lost', 'overdue', 'ATTEMPT_DEADLINE_EXCEEDED'],
  ['lost', 'draining', 'hand-back'],
  ['lost', 'fenced', 'forget'],
  ['terminated', 'none', 'hand-back'],
  ['terminated', 'canceled', 'canceled'],
  ['terminated', 'overdue', 'ATTEMPT_DEADLINE_EXCEEDED'],
  ['terminated', 'draining', 'hand-back'],
  ['terminated', 'fenced', 'forget'],
])('an attempt that %s, told to stop for %s: %s', (end, cause, heard) => {
  const verdict = verdictOf(ENDS[end] as HandlerEnd, CAUSES[cause])
  if (verdict.kind !== 'report') {
    expect(verdict.kind).toBe(heard)
    return
  }
  const { outcome } = verdict
  if (outcome.kind === 'canceled' && outcome.neverStarted) expect(heard).toBe('never started')
  else expect(outcome.kind === 'failed' ? outcome.fault.reason : outcome.kind).toBe(heard)
})

test('a handler that stops without having been told to is a broken invariant', () => {
  expect(() => verdictOf({ kind: 'stopped' }, undefined)).toThrow('only when told to')
  expect(() => verdictOf({ kind: 'withdrawn' }, undefined)).toThrow('told to stop')
})

test.each([
  ['attempt', 'ATTEMPT_DEADLINE_EXCEEDED', true],
  ['heartbeat', 'HEARTBEAT_DEADLINE_EXCEEDED', true],
  ['total', 'TOTAL_DEADLINE_EXCEEDED', false],
] as const)(
  'the %s deadline says which it was: %s, to be retried: %s',
  (deadline, reason, retryable) => {
    const verdict = verdictOf({ kind: 'stopped' }, { kind: 'overdue', deadline, ms: 50 })
    expect(verdict).toMatchObject({ outcome: { fault: { reason, retryable } } })
  },
)
