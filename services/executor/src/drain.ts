import { setTimeout as pause } from 'node:timers/promises'
import type { Dispatcher } from './attach/dispatcher.ts'
import type { Outbox } from './attach/outbox.ts'
import type { Session } from './attach/session.ts'
import type { DrainedBy } from './domain/drained-by.ts'
import { TIMER_MS_MAX } from './lanes/long-timer.ts'
import type { Attempts } from './ports.ts'

/** How long handlers that did not finish within the grace get to notice. */
const STOP_GRACE_MS = 1_000
/** How long the last results may take to be acknowledged. */
const ACKNOWLEDGE_TIMEOUT_MS = 2_000

export interface DrainReport {
  /** Attempts that ended meanwhile. */
  readonly finished: number
  /** Attempts handed back unfinished. */
  readonly handedBack: number
}

export interface Drainable {
  readonly dispatcher: Pick<Dispatcher, 'close'>
  readonly outbox: Outbox
  readonly session: Session
  readonly supervisor: Attempts
}

/**
 * Takes no new work, waits for what runs, then stops and hands back the rest, and waits until the
 * scheduler has recorded the results.
 */
export async function drain(
  parts: Drainable,
  graceMs: number,
  by?: DrainedBy,
): Promise<DrainReport> {
  const { dispatcher, outbox, session, supervisor } = parts
  const before = supervisor.counts
  dispatcher.close()
  session.drain(by)
  await settledWithin(supervisor.idle(), graceMs)
  supervisor.stopAll({ kind: 'draining' }, STOP_GRACE_MS)
  await supervisor.idle()
  if (session.attached) await settledWithin(outbox.settled(), ACKNOWLEDGE_TIMEOUT_MS)
  const { finished, handedBack } = supervisor.counts
  return {
    finished: finished - before.finished,
    handedBack: handedBack - before.handedBack,
  }
}

/** Waits for the promise, but not longer than this. */
async function settledWithin(promise: Promise<void>, timeoutMs: number): Promise<void> {
  const over = new AbortController()
  const late = pause(Math.min(timeoutMs, TIMER_MS_MAX), undefined, { signal: over.signal }).catch(
    () => {
      // It came in time.
    },
  )
  await Promise.race([promise, late])
  over.abort()
}
