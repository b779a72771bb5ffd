/**
 * What the scheduler is told of an attempt that ended, given how its handler ended and whether (and
 * why) it had been told to stop.
 */

import assert from 'node:assert/strict'
import type { AttemptOutcome, Fault, HandlerEnd, LostReason } from './attempt.ts'
import { type PassedDeadline, reasonOfDeadline, textOfDeadline } from './deadline.ts'

/** Why an attempt was told to stop. */
export type StopCause =
  /** By order of the scheduler (row J10). */
  | { readonly kind: 'canceled'; readonly reason: string }
  /** It is past a deadline (row J17). */
  | ({ readonly kind: 'overdue' } & PassedDeadline)
  /** The executor is stopping and its grace has run out. */
  | { readonly kind: 'draining' }
  /** It is no longer this session's; nobody wants its result. */
  | { readonly kind: 'fenced' }

export type Verdict =
  | { readonly kind: 'report'; readonly outcome: AttemptOutcome }
  /** Requeued at no charge. */
  | { readonly kind: 'hand-back' }
  | { readonly kind: 'forget' }

export function verdictOf(end: HandlerEnd, cause: StopCause | undefined): Verdict {
  if (cause?.kind === 'fenced') return { kind: 'forget' }
  switch (end.kind) {
    case 'succeeded':
    case 'failed':
      return { kind: 'report', outcome: end }
    case 'stopped':
      assert(cause !== undefined, 'a handler stops only when told to')
      return verdictOfStopped(cause, 'stopped when asked to')
    case 'withdrawn':
      assert(cause !== undefined, 'an attempt is withdrawn only when it was told to stop')
      return verdictOfWithdrawn(cause)
    case 'terminated':
      if (cause === undefined) return { kind: 'hand-back' }
      return verdictOfStopped(cause, 'ended by force')
    case 'lost':
      if (cause === undefined) return reportFault(lost(end))
      return verdictOfStopped(cause, 'its thread ended')
  }
}

function verdictOfWithdrawn(cause: StopCause): Verdict {
  switch (cause.kind) {
    case 'canceled': {
      const text = 'canceled before the handler began'
      return { kind: 'report', outcome: { kind: 'canceled', text, neverStarted: true } }
    }
    case 'overdue':
      return reportFault(overdue(cause, 'The handler was not called in that time.'))
    case 'draining':
      return { kind: 'hand-back' }
    case 'fenced':
      return { kind: 'forget' }
  }
}

function verdictOfStopped(cause: StopCause, how: string): Verdict {
  switch (cause.kind) {
    case 'canceled':
      return { kind: 'report', outcome: { kind: 'canceled', text: how } }
    case 'overdue':
      return reportFault(overdue(cause, `The handler was told to stop and ${how}.`))
    case 'draining':
      return { kind: 'hand-back' }
    case 'fenced':
      return { kind: 'forget' }
  }
}

function reportFault(fault: Fault): Verdict {
  return { kind: 'report', outcome: { kind: 'failed', fault } }
}

const LOST_BRIEFS: Readonly<Record<LostReason, string>> = {
  EXECUTOR_THREAD_LOST: 'The thread that ran the handler ended unexpectedly.',
  EXECUTOR_PROCESS_LOST: 'The process that ran the handler ended unexpectedly.',
  OUT_OF_MEMORY: 'The handler used more memory than it may.',
}

function lost({ detail, reason }: { readonly detail: string; readonly reason: LostReason }): Fault {
  return { brief: LOST_BRIEFS[reason], detail, reason, retryable: true }
}

/** Past the total one there is no time for another attempt. */
function overdue(passed: PassedDeadline, detail: string): Fault {
  return {
    brief: textOfDeadline(passed),
    detail,
    reason: reasonOfDeadline(passed),
    retryable: passed.deadline !== 'total',
  }
}
