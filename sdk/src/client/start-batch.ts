/** One call of a bulk start, and what comes of each of its jobs. */
import { setTimeout as pause } from 'node:timers/promises'
import { durationFrom } from '@offstage/proto/durations'
import type { JobSpec, StartJobOutcome } from '@offstage/proto/jobs'
import { OffstageError } from '../grpc/mod.ts'
import { CALL_MS_MAX, REPEAT_START_MS_MAX } from './call-terms.ts'
import { ASK_AGAIN_MS, isSessionUnknown, type Place, UNKNOWN_MS_MAX } from './foreground.ts'
import { errorFromOutcome } from './job-errors.ts'
import { JobHandle } from './job-handle.ts'
import { codecOf, dropRefused, methodOf, type StartTarget } from './job-spec.ts'
import { isTerminal } from './job-state.ts'
import type { StartManyOptions } from './options.ts'
import type { Session } from './session.ts'
import { settleStates } from './settle-states.ts'
import type { StartOutcome } from './start-outcome.ts'

/** What a bulk start has come to so far; filled while it is under way, so that it is known however it ends. */
export interface Started<R> {
  /** By position; holes where nothing is known of a job. */
  readonly outcomes: StartOutcome<R>[]
  /** Request ids of jobs that were asked for and may run, though no answer came. */
  readonly unanswered: string[]
}

/** A bulk start, as far as its calls are concerned. */
export interface SentBulk<R> extends Started<R> {
  readonly session: Session
  readonly target: StartTarget
  readonly options: Pick<StartManyOptions<never>, 'inlineWaitMs' | 'signal'>
  /** Where all of them run. */
  place: Place
  /** Asked where the scheduler does not know the session of this process; undefined where it is none of ours. */
  readonly placeAgain: (() => Place | Promise<Place>) | undefined
}

/** The jobs of one call, and where their outcomes belong. */
export interface Batch {
  readonly specs: JobSpec[]
  readonly positions: number[]
}

/** Again for jobs whose session the scheduler does not know, as a single start is. */
export async function startBatch<R>(bulk: SentBulk<R>, batch: Batch): Promise<void> {
  const { placeAgain } = bulk
  const { signal } = bulk.options
  const untilMs = performance.now() + UNKNOWN_MS_MAX
  for (let left = batch; ; ) {
    left = await startOnce(bulk, left, untilMs)
    if (left.specs.length === 0 || placeAgain === undefined) return
    try {
      await pause(ASK_AGAIN_MS, undefined, { signal })
      bulk.place = await placeAgain()
    } catch (error) {
      if (!(error instanceof OffstageError)) throw error
      for (const position of left.positions) bulk.outcomes[position] = { job: null, error }
      return
    }
    for (const spec of left.specs) Object.assign(spec, bulk.place)
  }
}

/** @returns the jobs that are to be started again, of which nothing is known yet */
async function startOnce<R>(bulk: SentBulk<R>, batch: Batch, untilMs: number): Promise<Batch> {
  const { specs, positions } = batch
  const { session, options, outcomes, unanswered, placeAgain } = bulk
  const { inlineWaitMs = 0, signal } = options
  const { jobs } = session.connection
  const start = () =>
    session.callScheduler(
      jobs.startJobs.bind(jobs),
      {
        namespace: session.identity.namespace,
        jobs: specs,
        inlineWait: inlineWaitMs > 0 ? durationFrom(inlineWaitMs) : undefined,
      },
      { signal, deadlineMs: CALL_MS_MAX + inlineWaitMs, repeatMsMax: REPEAT_START_MS_MAX },
    )
  const isAgain = (error: unknown) =>
    placeAgain !== undefined && isSessionUnknown(error) && performance.now() < untilMs
  const again: Batch = { specs: [], positions: [] }
  const leftOut: JobHandle[] = []
  try {
    const answer = await (inlineWaitMs > 0 ? session.waiting(start) : start())
    for (const [at, position] of positions.entries()) {
      const spec = specs[at]
      const outcome = outcomeFrom<R>(bulk, answer.outcomes[at], spec?.displayName)
      if (outcome.error !== null && spec !== undefined && isAgain(outcome.error)) {
        again.specs.push(spec)
        again.positions.push(position)
        continue
      }
      outcomes[position] = outcome
      if (outcome.error !== null) await dropRefused(session, spec?.params, outcome.error)
      if (outcome.job !== null && isEndLeftOut(answer.outcomes[at])) leftOut.push(outcome.job)
    }
  } catch (error) {
    unanswered.push(...specs.map(({ requestId }) => requestId))
    if (!(error instanceof OffstageError)) throw error
    for (const position of positions) outcomes[position] = { job: null, error }
  }
  // One answer holds only so many results: the ends of the rest are asked for.
  await settleStates(session, leftOut, signal, CALL_MS_MAX)
  return again
}

function isEndLeftOut(answer: StartJobOutcome | undefined): boolean {
  if (answer?.outcome?.$case !== 'started') return false
  const { state, completion } = answer.outcome.value
  return completion === undefined && isTerminal(state)
}

function outcomeFrom<R>(
  { session, target }: Pick<SentBulk<R>, 'session' | 'target'>,
  answer: StartJobOutcome | undefined,
  displayName: string | undefined,
): StartOutcome<R> {
  const outcome = answer?.outcome
  if (outcome?.$case === 'started') {
    const { jobId, state, completion } = outcome.value
    const [method, codec] = [methodOf(target), codecOf(target)]
    const job = new JobHandle<R>(session, jobId, method, state, completion, codec, displayName)
    return { job, error: null }
  }
  if (outcome === undefined) throw new Error('the scheduler left out the outcome of a start')
  return { job: null, error: errorFromOutcome(outcome.value) }
}
