import { durationFrom } from '@offstage/proto/durations'
import { checkOptions } from '../arguments/check-options.ts'
import { closeUnread, isByteStream } from '../jobs/byte-stream.ts'
import { CALL_MS_MAX, REPEAT_START_MS_MAX } from './call-terms.ts'
import { checkTarget } from './check-arguments.ts'
import { type Place, placeOf, startHere } from './foreground.ts'
import { JobHandle } from './job-handle.ts'
import {
  codecOf,
  dropRefused,
  labelsFor,
  methodOf,
  paramsFrom,
  type StartTarget,
  specFrom,
} from './job-spec.ts'
import { RUN_RULES, START_RULES } from './option-rules.ts'
import type { RunOptions, StartOptions } from './options.ts'
import { PlaceChecks } from './place-checks.ts'
import type { Session } from './session.ts'
import { waitFor } from './wait-for.ts'

/** How long `run` waits inline (row L1). */
const RUN_INLINE_WAIT_MS = 800

/** Starts one job; repeated under one request id while the scheduler is unavailable (row J19). */
export async function startOne<R>(
  session: Session,
  target: StartTarget,
  params: unknown,
  options: StartOptions,
): Promise<JobHandle<R>> {
  checkTarget(target)
  checkOptions('startJob', options, START_RULES)
  return start<R>(session, target, params, options)
}

function start<R>(
  session: Session,
  target: StartTarget,
  params: unknown,
  options: StartOptions,
): Promise<JobHandle<R>> {
  const started = startPlaced<R>(session, target, params, options)
  if (!isByteStream(params)) return started
  return started.catch((error) => {
    // Whatever it failed of: nobody reads on.
    closeUnread(params)
    throw error
  })
}

async function startPlaced<R>(
  session: Session,
  target: StartTarget,
  params: unknown,
  options: StartOptions,
): Promise<JobHandle<R>> {
  const { signal, inlineWaitMs = 0 } = options
  const checked = new PlaceChecks(session).check(options, signal)
  const refusal = checked instanceof Promise ? await checked : checked
  if (refusal !== undefined) throw refusal
  const requestId = options.requestId ?? session.nextRequestId()
  const payload = await paramsFrom(session, target, params, options)
  const labels = labelsFor(target, params, options.labels)
  const { jobs } = session.connection
  const terms = { signal, deadlineMs: CALL_MS_MAX + inlineWaitMs, repeatMsMax: REPEAT_START_MS_MAX }
  const startAt = (place: Place) => {
    const request = {
      namespace: session.identity.namespace,
      job: specFrom(session, target, options, payload, requestId, place, labels),
      inlineWait: inlineWaitMs > 0 ? durationFrom(inlineWaitMs) : undefined,
    }
    return session.callScheduler(jobs.startJob.bind(jobs), request, terms)
  }
  const place = () => placeOf(session.foreground, methodOf(target), options)
  const placed = place()
  const call =
    placed instanceof Promise ? startHere(placed, place, startAt, signal) : startAt(placed)
  const refused = async (error: unknown): Promise<never> => {
    await dropRefused(session, payload, error)
    throw error
  }
  const { job } = await call.catch(refused)
  if (job === undefined) throw new Error('the scheduler answered a start without a job')
  const { jobId, state, completion } = job
  const method = methodOf(target)
  const { displayName } = options
  return new JobHandle(session, jobId, method, state, completion, codecOf(target), displayName)
}

/** Starts one job and waits for its result, inline first (row L1). */
export async function runOne<R>(
  session: Session,
  target: StartTarget,
  params: unknown,
  options: RunOptions,
): Promise<R> {
  checkTarget(target)
  checkOptions('run', options, RUN_RULES)
  const { signal, onProgress, onMessage, inlineWaitMs = RUN_INLINE_WAIT_MS } = options
  const isObserved = onProgress !== undefined || onMessage !== undefined
  const begin = async () => {
    const handle = await start<R>(session, target, params, { ...options, inlineWaitMs })
    if (isObserved) {
      await handle.waitForCompletion({ signal, onProgress, onMessage, messages: false })
    } else if (!handle.isCompleted) await waitFor(session, [handle], 1, { signal })
    return handle
  }
  // A job that waits inline gives its slot back all the same (row J11), and does not go on between that wait and the next.
  const handle = inlineWaitMs > 0 ? await session.waiting(begin) : await begin()
  return handle.value({ signal })
}
