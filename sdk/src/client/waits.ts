import { checkOptions } from '../arguments/check-options.ts'
import { checkHandles } from './check-arguments.ts'
import type { JobHandle } from './job-handle.ts'
import { WAIT_RULES } from './option-rules.ts'
import type { WaitOptions } from './options.ts'
import type { Session } from './session.ts'
import { settleStates } from './settle-states.ts'
import { awaitEnds, heedOwnCancel, signalOf, waitFor } from './wait-for.ts'

/** What a wait for several jobs answers, in time or not (rows J9, A3). */
export interface WaitAnswer<H extends JobHandle = JobHandle> {
  /** Whether what was waited for has happened; false is a timeout. */
  readonly satisfied: boolean
  /** The jobs that have ended, failed and canceled ones included. */
  readonly finished: readonly H[]
  /** The others; their `state` is as of now. */
  readonly unfinished: readonly H[]
}

/** Waits until `need` of the jobs have ended (rows J9, A3). */
export async function waitForSeveral<H extends JobHandle>(
  session: Session,
  handles: readonly H[],
  need: number,
  options: WaitOptions,
): Promise<WaitAnswer<H>> {
  checkHandles(handles)
  checkOptions('a wait', options, WAIT_RULES)
  const satisfied = await waitFor(session, handles, need, options)
  return {
    satisfied,
    finished: handles.filter(({ isCompleted }) => isCompleted),
    unfinished: handles.filter(({ isCompleted }) => !isCompleted),
  }
}

/**
 * Hands out the jobs as they end, those that had ended before first; ends early when the time is up (row A3).
 * All are listened to at once and until the end, so that each costs one target on the watch stream.
 */
export async function* asCompleted<H extends JobHandle>(
  session: Session,
  handles: readonly H[],
  options: WaitOptions,
): AsyncGenerator<H, void, undefined> {
  checkHandles(handles)
  checkOptions('asCompleted', options, WAIT_RULES)
  const { timeoutMs } = options
  const signal = signalOf(session, options)
  signal?.throwIfAborted()
  const left = new Set(handles)
  const pending = [...left].filter(({ isCompleted }) => !isCompleted)
  const leave = new AbortController()
  let wake = Promise.withResolvers<void>()
  const waited = { over: false, error: undefined as unknown }
  const over = (error?: unknown) => {
    waited.over = true
    waited.error = error
    wake.resolve()
  }
  const signals = signal === undefined ? leave.signal : AbortSignal.any([signal, leave.signal])
  const onEnd = () => wake.resolve()
  awaitEnds(session, pending, pending.length, { signal: signals, timeoutMs, onEnd })
    .then((inTime) => (inTime ? undefined : settleStates(session, pending, signals)))
    .then(() => over(), over)
  try {
    for (;;) {
      for (const handle of left) {
        if (!handle.isCompleted || !left.delete(handle)) continue
        await heedOwnCancel(session, [handle], options)
        yield handle
      }
      if (left.size === 0) return
      if (waited.error !== undefined) throw waited.error
      if (waited.over) return
      await session.waiting(() => wake.promise)
      wake = Promise.withResolvers()
    }
  } finally {
    leave.abort()
  }
}
