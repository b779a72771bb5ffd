/**
 * `runAll`: a job over portions of data, so many at a time (row L8). Free places are filled by bulk starts; what ends
 * while a start is under way is made up for by the next one.
 *
 * 1. At most `concurrency` of the jobs are unfinished at a time.
 * 2. After the first failure nothing more is started, and what is unfinished is asked to end. Starts under way then have
 *    {@link START_GRACE_MS} to be answered; jobs without an answer are canceled by their request ids, which are job ids.
 */
import { JobState } from '@offstage/proto/jobs'
import { checkOptions } from '../arguments/check-options.ts'
import { OffstageError } from '../grpc/mod.ts'
import type { IdleTimer } from '../idle/clock.ts'
import { checkParamsList, checkTarget } from './check-arguments.ts'
import { JobCanceledError, JobFailedError } from './job-errors.ts'
import { JobHandle } from './job-handle.ts'
import type { StartTarget } from './job-spec.ts'
import { RUN_ALL_RULES } from './option-rules.ts'
import type { RunAllOptions } from './options.ts'
import { PlaceChecks } from './place-checks.ts'
import type { Session } from './session.ts'
import type { Started } from './start-batch.ts'
import { startEach, throwRefusal } from './start-many.ts'
import type { JobListener } from './tracked-job.ts'
import { heedOwnCancel, signalOf } from './wait-for.ts'
import { followJob } from './waited-job.ts'

const CONCURRENCY_DEFAULT = 1_000
/** Cancels of one fan-out under way at a time. */
const CANCELS_MAX = 50
/** How long a failed fan-out waits for the answers of starts under way. */
const START_GRACE_MS = 5_000

export async function runAll<I, R>(
  session: Session,
  target: StartTarget,
  paramsList: readonly I[],
  options: RunAllOptions<I>,
): Promise<R[]> {
  checkTarget(target)
  checkParamsList(paramsList)
  checkOptions('runAll', options, RUN_ALL_RULES)
  const { concurrency = CONCURRENCY_DEFAULT } = options
  signalOf(session, options)?.throwIfAborted()
  const fanOut = new FanOut<I, R>(session, target, paramsList, options, Math.floor(concurrency))
  return fanOut.run()
}

class FanOut<I, R> {
  readonly #session: Session
  readonly #target: StartTarget
  readonly #paramsList: readonly I[]
  readonly #options: RunAllOptions<I>
  readonly #concurrency: number
  readonly #places: PlaceChecks
  readonly #handles: JobHandle<R>[] = []
  /** The unfinished, with how to stop listening to each. */
  readonly #running = new Map<JobHandle<R>, () => void>()
  readonly #percents = new Map<JobHandle<R>, number>()
  #percentSum = 0
  #finished = 0
  #failure: { readonly error: unknown } | undefined
  /** Aborted with the first failure: nothing more is started. */
  readonly #stop = new AbortController()
  /** Aborted when starts under way are waited for no longer. */
  readonly #giveUp = new AbortController()
  #graceTimer: IdleTimer | undefined
  readonly #unanswered: string[] = []
  #changed = Promise.withResolvers<void>()

  constructor(
    session: Session,
    target: StartTarget,
    paramsList: readonly I[],
    options: RunAllOptions<I>,
    concurrency: number,
  ) {
    this.#session = session
    this.#places = new PlaceChecks(session)
    this.#target = target
    this.#paramsList = paramsList
    this.#options = options
    this.#concurrency = concurrency
  }

  async run(): Promise<R[]> {
    const signal = signalOf(this.#session, this.#options)
    const onAbort = () => this.#fail(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      while (this.#finished < this.#paramsList.length && this.#failure === undefined) {
        const started = await this.#fill()
        if (started > 0 || this.#failure !== undefined) continue
        if (this.#finished === this.#paramsList.length) break
        await this.#session.waiting(() => this.#changed.promise)
        this.#changed = Promise.withResolvers()
      }
      if (this.#failure !== undefined) throw this.#failure.error
      return await Promise.all(this.#handles.map((handle) => handle.value({ signal })))
    } catch (error) {
      this.#fail(error)
      await this.#cancelRest()
      await heedOwnCancel(this.#session, this.#handles, this.#options)
      throw withCallersStack(this.#failure?.error)
    } finally {
      this.#graceTimer?.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Starts as many as there is room for (invariant 1). */
  async #fill(): Promise<number> {
    const from = this.#handles.length
    const room = Math.min(this.#concurrency - this.#running.size, this.#paramsList.length - from)
    if (room <= 0) return 0
    const { each, onProgress: _, concurrency: __, ...common } = this.#options
    const started: Started<R> = { outcomes: [], unanswered: this.#unanswered }
    try {
      await startEach<I, R>(
        this.#session,
        this.#target,
        this.#paramsList.slice(from, from + room),
        {
          ...common,
          each: each && ((params, index) => each(params, from + index)),
          signal: this.#giveUp.signal,
        },
        started,
        this.#stop.signal,
        this.#places,
      )
      throwRefusal(started.outcomes)
    } finally {
      this.#adopt(started.outcomes.flatMap(({ job }) => job ?? []))
    }
    return room
  }

  #adopt(handles: readonly JobHandle<R>[]): void {
    for (const handle of handles) {
      this.#handles.push(handle)
      if (handle.isCompleted) this.#end(handle)
      else this.#follow(handle)
    }
  }

  #follow(handle: JobHandle<R>): void {
    const listener: JobListener = {
      onEnd: () => this.#end(handle),
      onLost: (error) => this.#fail(error),
      onProgress: this.#options.onProgress && (({ percent }) => this.#advance(handle, percent)),
    }
    // Known to run before it is listened to, since what is known of it is told at once.
    this.#running.set(handle, () => {})
    const stop = handle[followJob](listener)
    if (this.#running.has(handle)) this.#running.set(handle, stop)
    else stop()
  }

  #end(handle: JobHandle<R>): void {
    this.#running.get(handle)?.()
    this.#running.delete(handle)
    this.#finished += 1
    this.#advance(handle, 100)
    if (!handle.isSucceeded) {
      // Settled already: this only fetches the error that says why.
      handle.value().catch((error) => this.#fail(error))
    }
    this.#changed.resolve()
  }

  #advance(handle: JobHandle<R>, percent: number): void {
    const { onProgress } = this.#options
    if (onProgress === undefined) return
    this.#percentSum += percent - (this.#percents.get(handle) ?? 0)
    this.#percents.set(handle, percent)
    const total = this.#paramsList.length
    try {
      onProgress({ percent: this.#percentSum / total, finished: this.#finished, total })
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#changed.resolve()
    if (this.#failure !== undefined) return
    this.#failure = { error }
    this.#stop.abort(error)
    const giveUp = () => this.#giveUp.abort(error)
    this.#graceTimer = this.#session.clock.startTimer(giveUp, START_GRACE_MS, true)
  }

  /** Asks what is unfinished to end (invariant 2); a cancel that fails changes nothing about the first failure. */
  async #cancelRest(): Promise<void> {
    for (const stop of this.#running.values()) stop()
    const unknown = JobState.JOB_STATE_UNSPECIFIED
    const unanswered = this.#unanswered.map(
      (id) => new JobHandle<R>(this.#session, id, '', unknown, undefined),
    )
    // Taken from the end: those without an answer come last, when a slow scheduler may have recorded them.
    const rest = [...unanswered, ...this.#running.keys()]
    const reason = 'another job of the same runAll has failed'
    const cancelNext = async () => {
      for (let handle = rest.pop(); handle !== undefined; handle = rest.pop()) {
        const answered = await handle.cancel({ reason }).then(() => true, isAnswer)
        // A scheduler that is away would cost every further cancel all its tries.
        if (!answered) return
      }
    }
    await Promise.all(Array.from({ length: CANCELS_MAX }, cancelNext))
  }
}

/** A failed job is met in a listener, whose stack tells nothing of who called `runAll`. */
function withCallersStack(error: unknown): unknown {
  if (error instanceof JobFailedError || error instanceof JobCanceledError) {
    Error.captureStackTrace(error, withCallersStack)
  }
  return error
}

function isAnswer(error: unknown): boolean {
  if (!(error instanceof OffstageError)) return false
  return !error.retryable && error.reason !== 'DEADLINE_EXCEEDED'
}
