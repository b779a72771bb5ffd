import type { JobState, Completion as WireCompletion } from '@offstage/proto/jobs'
import { JobState as State } from '@offstage/proto/jobs'
import { checkOptions } from '../arguments/check-options.ts'
import type { Codec } from '../jobs/codec.ts'
import { unwrapTold } from '../jobs/wrapped-report.ts'
import { cancelJob } from './cancel-job.ts'
import { whole } from './check-arguments.ts'
import type { CancelOutcomeName, Completion, JobFault, Unfinished } from './completion.ts'
import { cancelOutcomeFrom, type ReadResult } from './completion-from.ts'
import { type JobMessage, onceEach, unwrapping } from './events.ts'
import { JobCanceledError, JobFailedError, jobNotFound, payloadHidden } from './job-errors.ts'
import { readMessages } from './job-reads.ts'
import { type JobRecord, jobRecordFrom } from './job-record.ts'
import {
  isTerminal,
  type JobStateName,
  type JobStatusName,
  namesOf,
  unfinishedNameOf,
} from './job-state.ts'
import { KnownEnd } from './known-end.ts'
import { COMPLETION_RULES, VALUE_RULES } from './option-rules.ts'
import type { CancelOptions, CompletionOptions, RetryJobOptions, WaitOptions } from './options.ts'
import type { ResultStream } from './result-stream.ts'
import { retryJob } from './retry-job.ts'
import type { Session } from './session.ts'
import type { JobListener } from './tracked-job.ts'
import { heedOwnCancel, waitFor } from './wait-for.ts'
import { followJob, learnJob, type WaitedJob } from './waited-job.ts'

/**
 * A job that was started or looked up (row A2). It belongs to no connection: its id is all that another
 * process needs for `client.job(id)` (row J7). It never moves by itself: what it tells of the job is as of its own last
 * answer or wait. A handle whose end is known never asks again, unless
 * it starts the job anew.
 */
export class JobHandle<R = unknown> implements WaitedJob {
  /** The job's id. */
  readonly id: string
  #method: string
  #displayName: string
  readonly #session: Session
  readonly #codec: Codec | undefined
  #state: JobState
  #end: KnownEnd<R> | undefined

  /** Made by clients: {@link JobCalls.startJob}, `client.job(id)`. */
  constructor(
    session: Session,
    id: string,
    method: string,
    state: JobState,
    completion: WireCompletion | undefined,
    codec?: Codec,
    displayName = '',
  ) {
    this.id = id
    this.#method = method
    this.#displayName = displayName
    this.#session = session
    this.#codec = codec
    // An end that was left out of an answer is known once it was read.
    const isLeftOut = isTerminal(state) && completion === undefined
    this.#state = isLeftOut ? State.JOB_STATE_RUNNING : state
    this.#end = completion && new KnownEnd(session, this.#read, completion)
  }

  /** For people: the display name where one was given, else the method. Empty for a handle made from an id, until {@link refresh}. */
  get name(): string {
    return this.#displayName || this.#method
  }

  /**
   * The method it calls. Where a fallback was named, the one that was asked for until {@link refresh}; empty for a handle made from an
   * id until then.
   */
  get method(): string {
    return this.#method
  }

  /** Where the job stands, as completions, records and filters name it too. */
  get state(): JobStateName {
    return namesOf(this.#state).state
  }

  /** The same under the names of row A2, such as `RanToCompletion`: an alias of {@link state}. */
  get status(): JobStatusName {
    return namesOf(this.#state).status
  }

  /** Whether the job has ended, in whatever way. */
  get isCompleted(): boolean {
    return this.#end !== undefined
  }

  get isSucceeded(): boolean {
    return this.#state === State.JOB_STATE_SUCCEEDED
  }

  get isFaulted(): boolean {
    return this.#state === State.JOB_STATE_FAILED
  }

  get isCanceled(): boolean {
    return this.#state === State.JOB_STATE_CANCELED
  }

  /**
   * What came of it (row A2): the result of a succeeded job, `null` for a procedure (row A4), of a failed one the brief error, which
   * {@link error} tells in full. Undefined before the end, for a canceled job, for a large or wrapped result until {@link value} or
   * {@link waitForCompletion} has fetched it (row L4), and for one the caller may not see (row J23).
   */
  get result(): R | string | null | undefined {
    return this.error?.brief ?? this.#end?.result
  }

  /** Where the result lies in temp storage (row L4); undefined before the end, and where it came along. */
  get resultAddress(): string | undefined {
    return this.#end?.resultAddress
  }

  /** Where the additional result lies, in the same way. */
  get additionalResultAddress(): string | undefined {
    return this.#end?.additionalResultAddress
  }

  /** Why the job failed (row J14); undefined unless it did. */
  get error(): JobFault | undefined {
    return this.isFaulted ? this.#end?.fault : undefined
  }

  /**
   * Waits for the end: pushed, with a growing poll behind it (row L2). Goes on through restarts of the
   * scheduler. Never throws because of the job's own error (row A3): a failed job and a canceled one are answers.
   *
   * @throws OffstageError JOB_NOT_FOUND, or where the caller has no rights; RESULT_REPLACED where its result went to a fixed
   *   address and was replaced since; RESULT_UNREADABLE where what it left is not what it says it is; CODEC_UNKNOWN or CODEC_FAILED where
   *   it is wrapped and cannot be unwrapped here; the signal's reason; what a callback threw.
   */
  waitForCompletion(
    options?: CompletionOptions & { readonly timeoutMs?: undefined },
  ): Promise<Completion<R>>
  waitForCompletion(options?: CompletionOptions): Promise<Completion<R> | Unfinished>
  async waitForCompletion(options: CompletionOptions = {}): Promise<Completion<R> | Unfinished> {
    checkOptions('waitForCompletion', options, COMPLETION_RULES)
    const { codecs } = this.#read
    const onMessage = onceEach(unwrapping(codecs, options.onMessage))
    const onProgress = unwrapping(codecs, options.onProgress)
    await waitFor(this.#session, [this], 1, { ...options, onMessage, onProgress })
    const end = this.#end
    if (end === undefined) return { isCompleted: false, state: unfinishedNameOf(this.#state) }
    const messages = await this.#allMessages(end, options)
    for (const message of messages) onMessage?.(message)
    return end.completion(messages)
  }

  /**
   * Waits for the result itself.
   * @throws JobFailedError, JobCanceledError, OffstageError PAYLOAD_HIDDEN where the caller may see the job and not its payloads, and
   *   what {@link waitForCompletion} throws.
   */
  async value(options: Omit<WaitOptions, 'timeoutMs'> = {}): Promise<R> {
    checkOptions('value', options, VALUE_RULES)
    return (await this.#success(options)).fetchResult()
  }

  /**
   * As {@link value}, and deletes the result where it lies, so that it does not stay for its time to live. A reserved address stays
   * reserved. Of several processes one gets it; this handle keeps it. Without effect on a result that came along.
   */
  async takeResult(options: Omit<WaitOptions, 'timeoutMs'> = {}): Promise<R> {
    checkOptions('takeResult', options, VALUE_RULES)
    return (await this.#success(options)).takeResult()
  }

  /**
   * Waits for the result and reads its bytes as they are, with flat memory: of one that was returned as a stream, say. Neither kept nor
   * decoded; what is wrapped stays so.
   * @throws what {@link value} does
   */
  async resultStream(options: Omit<WaitOptions, 'timeoutMs'> = {}): Promise<ResultStream> {
    checkOptions('resultStream', options, VALUE_RULES)
    return (await this.#success(options)).openResult(options.signal)
  }

  /** Waits for an end that has a result. */
  async #success(options: Omit<WaitOptions, 'timeoutMs'>): Promise<KnownEnd<R>> {
    if (this.#end === undefined) await waitFor(this.#session, [this], 1, options)
    const end = this.#end
    if (end === undefined) throw new Error(`job ${this.id} has no end`)
    if (this.isSucceeded && end.wire.payloadHidden) throw payloadHidden(this.id)
    if (this.isSucceeded) return end
    if (this.isFaulted) throw new JobFailedError(this.id, this.method, end.fault)
    await heedOwnCancel(this.#session, [this], options)
    throw new JobCanceledError(this.id, this.method, cancelOutcomeFrom(end.wire.cancelOutcome))
  }

  /**
   * Asks for the job to end (row J10): a queued one at once, a running one by its signal and after the grace by
   * force. Answers at once with how it ended, if that is known; wait to see the end. Repeating it is harmless.
   */
  async cancel(options: CancelOptions = {}): Promise<CancelOutcomeName | undefined> {
    const { state, outcome } = await cancelJob(this.#session, this.id, options)
    if (!isTerminal(state)) this.#state = state
    return cancelOutcomeFrom(outcome)
  }

  /**
   * Starts the job anew, if it has failed or was canceled (row J25): under its id, with new attempts and the same parameters; its
   * retries and deadlines count from now. This handle forgets its end: wait for the next one.
   *
   * @throws OffstageError JOB_NOT_RETRYABLE, JOB_KEY_TAKEN, JOB_NOT_FOUND
   */
  async retry(options: RetryJobOptions = {}): Promise<void> {
    const { method, state, completion } = await retryJob(this.#session, this.id, options)
    this.#method = method
    this[learnJob](state, completion)
  }

  /** Reads the job's record, its parameters and attempts too, and brings this handle up to date. */
  async refresh(options: { readonly signal?: AbortSignal } = {}): Promise<JobRecord> {
    const { jobs } = this.#session.connection
    const request = {
      namespace: this.#session.identity.namespace,
      jobId: this.id,
      view: 0,
    } as const
    const { job } = await this.#session.callScheduler(jobs.getJob.bind(jobs), request, options)
    if (job === undefined) throw jobNotFound(this.id)
    this.#method = job.method
    this.#displayName = job.displayName
    this[learnJob](job.state, job.completion)
    return jobRecordFrom(job, this.#read.codecs)
  }

  /** The messages so far after a sequence number, in order (row J15). Default: all. */
  async messages(afterSequence = 0, signal?: AbortSignal): Promise<readonly JobMessage[]> {
    whole(afterSequence, 'afterSequence')
    const { codecs } = this.#read
    const messages: JobMessage[] = []
    const take = (message: JobMessage) => void messages.push(unwrapTold(codecs, message))
    await readMessages(this.#session, this.id, afterSequence, take, signal)
    return messages
  }

  [followJob](listener: JobListener): () => void {
    return this.#session.watcher.follow(this.id, {
      ...listener,
      onState: (state) => this[learnJob](state, undefined),
      onEnd: (completion, messages) => {
        this[learnJob](completion.state, completion, messages)
        listener.onEnd(completion, messages)
      },
    })
  }

  [learnJob](
    state: JobState,
    completion: WireCompletion | undefined,
    messages?: readonly JobMessage[],
  ): void {
    if (isTerminal(state) && completion === undefined) return
    this.#state = state
    // Started anew: what was known of the last end is no longer true.
    if (completion === undefined) this.#end = undefined
    else if (this.#end?.isToldBy(completion) !== true) {
      this.#end = new KnownEnd(this.#session, this.#read, completion)
    }
    this.#end?.learnMessages(messages)
  }

  /** All messages; none where nobody wants them. */
  async #allMessages(
    end: KnownEnd<R>,
    { messages, onMessage, signal }: CompletionOptions,
  ): Promise<readonly JobMessage[]> {
    if (messages === false && onMessage === undefined) return []
    return end.messages(() => this.messages(0, signal))
  }

  get #read(): ReadResult {
    return { jobId: this.id, codecs: [this.#codec, this.#session.valueCodec] }
  }
}
