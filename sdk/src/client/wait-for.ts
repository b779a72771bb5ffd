import { once } from 'node:events'
import { JobView } from '@offstage/proto/jobs'
import { OffstageError } from '../grpc/mod.ts'
import { delayMsMax } from '../idle/clock.ts'
import type { CompletionOptions, WaitOptions } from './options.ts'
import type { Session } from './session.ts'
import { settleStates } from './settle-states.ts'
import { followJob, type WaitedJob } from './waited-job.ts'

/** What a wait listens to. */
export interface EndOptions extends CompletionOptions {
  /** Hears of each job that ends during the wait. */
  readonly onEnd?: (handle: WaitedJob) => void
}

/**
 * Waits until `need` of the jobs have ended, and tells whether they have. When the time is up their
 * states are read once more, so that the answer is the truth and not the last thing pushed (row J9).
 */
export async function waitFor(
  session: Session,
  handles: readonly WaitedJob[],
  need: number,
  options: EndOptions,
): Promise<boolean> {
  const { timeoutMs } = options
  const signal = signalOf(session, options)
  signal?.throwIfAborted()
  const isSatisfied = () => countEnded(handles) >= need
  if (isSatisfied()) {
    await heedOwnCancel(session, handles, options)
    return true
  }
  const inTime =
    timeoutMs === 0
      ? false
      : await session.waiting(() => awaitEnds(session, handles, need, options))
  if (!inTime) await settleStates(session, handles, signal)
  await heedOwnCancel(session, handles, options)
  return inTime || isSatisfied()
}

/** What ends a wait: in a job its own cancel, unless the caller names another signal. */
export function signalOf(session: Session, { signal }: WaitOptions): AbortSignal | undefined {
  return signal ?? session.identity.signal
}

/** How long a cancel may take from the scheduler to a job that is known to be canceled. */
const OWN_CANCEL_MS_MAX = 10_000

/**
 * A cancel that cascades may end the children before the job that waits for them hears of its own: their end is then
 * no answer to the wait.
 * @throws the reason of the job's signal, when the job is canceled
 */
export async function heedOwnCancel(
  session: Session,
  handles: readonly WaitedJob[],
  options: WaitOptions,
): Promise<void> {
  const { parentJobId, signal } = session.identity
  if (signal === undefined || options.signal !== undefined) return
  if (!handles.some(({ isCanceled }) => isCanceled)) return
  const isDue = !signal.aborted && (await isToBeCanceled(session, parentJobId))
  // One that was aborted meanwhile tells it no more.
  if (isDue && !signal.aborted) {
    const late = AbortSignal.timeout(OWN_CANCEL_MS_MAX)
    await once(AbortSignal.any([signal, late]), 'abort')
  }
  signal.throwIfAborted()
}

/** False also where nobody can tell: the job's signal tells it then. */
async function isToBeCanceled(session: Session, jobId: string): Promise<boolean> {
  const { connection, identity } = session
  const request = { namespace: identity.namespace, jobId, view: JobView.JOB_VIEW_BASIC }
  try {
    const method = connection.jobs.getJob.bind(connection.jobs)
    const { job } = await session.callScheduler(method, request, { attempts: 1 })
    return job?.cancelRequested ?? false
  } catch (error) {
    if (error instanceof OffstageError) return false
    throw error
  }
}

/**
 * Listens until `need` of the jobs have ended; resolves to false when the time is up. The caller says
 * whether its job waits meanwhile.
 */
export function awaitEnds(
  session: Session,
  handles: readonly WaitedJob[],
  need: number,
  options: EndOptions,
): Promise<boolean> {
  const { timeoutMs, onProgress, onMessage, onEnd } = options
  const signal = signalOf(session, options)
  if (signal?.aborted) return Promise.reject(signal.reason)
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  let left = need - countEnded(handles)
  if (left <= 0) return Promise.resolve(true)
  let over = false
  const stops: (() => void)[] = []
  const onAbort = () => settle(() => reject(signal?.reason))
  const timer =
    timeoutMs === undefined || timeoutMs > delayMsMax
      ? undefined
      : session.clock.startTimer(() => settle(() => resolve(false)), timeoutMs, true)
  const settle = (answer: () => void) => {
    if (over) return
    over = true
    timer?.cancel()
    signal?.removeEventListener('abort', onAbort)
    for (const stop of stops) stop()
    answer()
  }
  const onLost = (error: unknown) => settle(() => reject(error))
  signal?.addEventListener('abort', onAbort, { once: true })
  for (const handle of handles) {
    if (over) break
    if (handle.isCompleted) continue
    const ended = () => {
      onEnd?.(handle)
      left -= 1
      if (left === 0) settle(() => resolve(true))
    }
    stops.push(handle[followJob]({ onProgress, onMessage, onEnd: ended, onLost }))
  }
  // A listener may have settled the wait while it was being added.
  if (over) for (const stop of stops) stop()
  return promise
}

function countEnded(handles: readonly WaitedJob[]): number {
  let ended = 0
  for (const handle of handles) if (handle.isCompleted) ended += 1
  return ended
}
