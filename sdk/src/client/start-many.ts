/**
 * Bulk starts: the hot path. Per job: one JSON text, one spec, one handle; no promise and no closure. Calls
 * of up to 500 jobs, 8 at a time; a call is built when its turn comes, so a long list is never encoded
 * at once.
 */

import type { JobSpec, Payload } from '@offstage/proto/jobs'
import { checkOptions } from '../arguments/check-options.ts'
import { OffstageError } from '../grpc/mod.ts'
import { closeUnread, isByteStream } from '../jobs/byte-stream.ts'
import { INLINE_BYTES_MAX } from '../jobs/payload.ts'
import { checkParamsList, checkTarget } from './check-arguments.ts'
import { placeOf } from './foreground.ts'
import type { JobHandle } from './job-handle.ts'
import { isMoved, labelsFor, methodOf, paramsFrom, type StartTarget, specFrom } from './job-spec.ts'
import { EACH_RULES, START_MANY_RULES } from './option-rules.ts'
import type { StartManyOptions } from './options.ts'
import { PlaceChecks, type Verdict } from './place-checks.ts'
import type { Session } from './session.ts'
import { type Batch, type SentBulk, type Started, startBatch } from './start-batch.ts'
import { StartJobsError, type StartOutcome } from './start-outcome.ts'

/** Half of what one StartJobs takes: where batches beyond stop paying. */
export const JOBS_PER_CALL_MAX = 500
/** Parameters in one call: below the 4 MiB a gRPC server takes when nobody told it otherwise. */
const BYTES_PER_CALL_MAX = 3 * 1024 * 1024
const CALLS_MAX = 8

/** Starts many jobs; an outcome for each, in order. */
export async function startManySettled<I, R>(
  session: Session,
  target: StartTarget,
  paramsList: readonly I[],
  options: StartManyOptions<I>,
): Promise<StartOutcome<R>[]> {
  checkTarget(target)
  checkParamsList(paramsList)
  checkOptions('a bulk start', options, START_MANY_RULES)
  const outcomes = new Array<StartOutcome<R>>(paramsList.length)
  const started = { outcomes, unanswered: [] }
  try {
    await startEach(session, target, paramsList, options, started)
  } catch (error) {
    if (outcomes.every(({ job }) => job === null)) throw error
    throw StartJobsError.brokenOff(outcomes, error)
  }
  return outcomes
}

/** Starts many jobs; rejects when any was refused, though the others run. */
export async function startMany<I, R>(
  session: Session,
  target: StartTarget,
  paramsList: readonly I[],
  options: StartManyOptions<I>,
): Promise<JobHandle<R>[]> {
  const outcomes = await startManySettled<I, R>(session, target, paramsList, options)
  throwRefusal(outcomes)
  return outcomes.flatMap(({ job }) => job ?? [])
}

/** @throws StartJobsError where any was refused. */
export function throwRefusal(outcomes: readonly StartOutcome[]): void {
  const first = outcomes.find(({ error }) => error !== null)?.error
  if (first == null) return
  // One cause for all, such as a scheduler that cannot be reached, is best told as it is.
  throw outcomes.every(({ error }) => error === first) ? first : new StartJobsError(outcomes)
}

/**
 * Starts many jobs into `started`. Takes up no more when `stop` is aborted, the signal is, or something throws that is
 * no refusal, such as `each`; then rejects with that, once the calls under way have been answered or given up.
 */
export async function startEach<I, R>(
  session: Session,
  target: StartTarget,
  paramsList: readonly I[],
  options: StartManyOptions<I>,
  started: Started<R>,
  stop = options.signal,
  places = new PlaceChecks(session),
): Promise<void> {
  const placed = () => placeOf(session.foreground, methodOf(target), options)
  const first = placed()
  const isOurs = first instanceof Promise
  const place = isOurs ? await first : first
  const placeAgain = isOurs ? placed : undefined
  const bulk: Bulk<I, R> = {
    ...{
      session,
      target,
      paramsList,
      options,
      ...started,
      stop,
      places,
      place,
      placeAgain,
      next: 0,
    },
  }
  // What all jobs name is known before the first is looked at.
  const common = places.check(options, options.signal)
  if (common instanceof Promise) await common
  const calls = Math.min(CALLS_MAX, Math.ceil(paramsList.length / JOBS_PER_CALL_MAX))
  await Promise.all(Array.from({ length: calls }, () => startCalls(bulk)))
  if (bulk.fault !== undefined) throw bulk.fault.error
}

interface Bulk<I, R> extends SentBulk<R> {
  readonly paramsList: readonly I[]
  readonly options: StartManyOptions<I>
  readonly stop: AbortSignal | undefined
  readonly places: PlaceChecks
  /** The first of the parameters that is in no call yet. */
  next: number
  /** What ended the start before its time; nothing is taken up after it. */
  fault?: { readonly error: unknown }
}

/** Never rejects: what goes wrong is the fault of the whole. */
async function startCalls<I, R>(bulk: Bulk<I, R>): Promise<void> {
  try {
    while (bulk.next < bulk.paramsList.length && bulk.fault === undefined) {
      bulk.stop?.throwIfAborted()
      const batch = takeBatch(bulk)
      const taken = batch instanceof Promise ? await batch : batch
      if (taken.specs.length > 0 && bulk.fault === undefined) await startBatch(bulk, taken)
    }
  } catch (error) {
    bulk.fault ??= { error }
  }
}

function takeBatch<I, R>(bulk: Bulk<I, R>): Batch | Promise<Batch> {
  const { session, target, paramsList, options, outcomes, places, place } = bulk
  const batch: Batch = { specs: [], positions: [] }
  const template = specFrom(session, target, options, undefined, '', place)
  const common = places.check(options, options.signal)
  const isLabeled = typeof target === 'object' && typeof target.labels === 'function'
  const late: Promise<void>[] = []
  let uploads = 0
  let bytes = 0
  const add = (position: number, payload: Payload | undefined, spec: JobSpec) => {
    spec.params = payload
    spec.paramsOwned = isMoved(payload)
    batch.specs.push(spec)
    batch.positions.push(position)
    if (payload?.source?.$case === 'inline') bytes += payload.source.value.byteLength
  }
  const refuse = (position: number, error: unknown) => {
    const params = paramsList[position]
    if (isByteStream(params)) closeUnread(params)
    if (error instanceof OffstageError) outcomes[position] = { job: null, error }
    else bulk.fault ??= { error }
  }
  const take = (position: number, spec: JobSpec): void | Promise<void> => {
    const payload = paramsFrom(session, target, paramsList[position], options)
    if (isLabeled) spec.labels = labelsFor(target, paramsList[position], spec.labels)
    if (!(payload instanceof Promise)) return add(position, payload, spec)
    uploads += 1
    return payload.then((p) => add(position, p, spec))
  }
  const takeChecked = async (position: number, spec: JobSpec, check: Promise<Verdict>) => {
    const refusal = await check
    if (refusal !== undefined) throw refusal
    await take(position, spec)
  }
  for (let taken = 0; taken < JOBS_PER_CALL_MAX && bytes < BYTES_PER_CALL_MAX; taken += 1) {
    const position = bulk.next
    if (position >= paramsList.length) break
    bulk.next += 1
    const own = options.each?.(paramsList[position] as I, position)
    if (own != null) checkOptions('each', own, EACH_RULES)
    const requestId = own?.requestId ?? session.nextRequestId()
    const all = own == null ? options : { ...options, ...own }
    const spec =
      own == null
        ? { ...template, requestId }
        : specFrom(session, target, all, undefined, requestId, place)
    try {
      const check = own == null ? common : places.check(all, options.signal)
      if (check instanceof Promise) bytes += INLINE_BYTES_MAX
      else if (check !== undefined) throw check
      const sent =
        check instanceof Promise ? takeChecked(position, spec, check) : take(position, spec)
      if (sent instanceof Promise) late.push(sent.catch((error) => refuse(position, error)))
    } catch (error) {
      refuse(position, error)
    }
    if (uploads === CALLS_MAX) break
  }
  return late.length === 0 ? batch : Promise.all(late).then(() => batch)
}
