import { JobState, type Completion as WireCompletion } from '@offstage/proto/jobs'
import { unwrapTold } from '../jobs/wrapped-report.ts'
import type { Completion, JobFault } from './completion.ts'
import {
  addressOf,
  completionFrom,
  faultFrom,
  fetchedValue,
  isInline,
  isPlain,
  plainValue,
  type ReadResult,
} from './completion-from.ts'
import type { JobMessage } from './events.ts'
import { openResult, type ResultStream } from './result-stream.ts'
import type { Session } from './session.ts'

/** A job's end as it was learned, and what has been read of it since. Another end of the job is another one of these. */
export class KnownEnd<R> {
  readonly wire: WireCompletion
  readonly #session: Session
  readonly #read: ReadResult
  #messages: readonly JobMessage[] | undefined
  /** The result, once it was decoded or fetched. */
  #result: { readonly value: unknown } | undefined
  /** The result on its way out of storage. */
  #taking: Promise<unknown> | undefined

  constructor(session: Session, read: ReadResult, wire: WireCompletion) {
    this.#session = session
    this.#read = read
    this.wire = wire
  }

  get isSucceeded(): boolean {
    return this.wire.state === JobState.JOB_STATE_SUCCEEDED
  }

  /** As far as it takes nothing to be read, or was read. */
  get result(): R | null | undefined {
    const { result, payloadHidden } = this.wire
    if (!this.isSucceeded || payloadHidden) return undefined
    if (this.#result === undefined && isPlain(result)) {
      this.#result = { value: plainValue(this.#read.jobId, result) }
    }
    return this.#result?.value as R | null | undefined
  }

  get resultAddress(): string | undefined {
    return addressOf(this.wire.result)
  }

  get additionalResultAddress(): string | undefined {
    return addressOf(this.wire.additionalResult)
  }

  get fault(): JobFault {
    return faultFrom(this.wire, this.#read.codecs)
  }

  /** Whether this is what is said of the job again. */
  isToldBy({ state, finishTime }: WireCompletion): boolean {
    return state === this.wire.state && finishTime?.getTime() === this.wire.finishTime?.getTime()
  }

  async fetchResult(): Promise<R> {
    this.#result ??= { value: await fetchedValue(this.#session, this.#read, this.wire.result) }
    // What the job returns is the definition's to say; procedures give null (row A4).
    return this.#result.value as R
  }

  /** Deletes it where it lies. */
  async takeResult(): Promise<R> {
    const { result } = this.wire
    if (isInline(result)) return this.fetchResult()
    this.#taking ??= fetchedValue(this.#session, this.#read, result, true)
    try {
      this.#result = { value: await this.#taking }
    } catch (error) {
      this.#taking = undefined
      throw error
    }
    return this.fetchResult()
  }

  openResult(signal: AbortSignal | undefined): Promise<ResultStream> {
    return openResult(this.#session, this.#read.jobId, this.wire.result, signal)
  }

  /** They came along with it. */
  learnMessages(messages: readonly JobMessage[] | undefined): void {
    this.#messages ??= messages
  }

  /** All messages, read where they were not pushed. */
  async messages(read: () => Promise<readonly JobMessage[]>): Promise<readonly JobMessage[]> {
    this.#messages ??= await read()
    return this.#messages
  }

  /** As it is shown to callers, with its values fetched. */
  async completion(messages: readonly JobMessage[]): Promise<Completion<R>> {
    const { codecs } = this.#read
    const result = this.isSucceeded ? await this.fetchResult() : null
    const { additionalResult } = this.wire
    const additional = await fetchedValue(this.#session, this.#read, additionalResult)
    const told = messages.map((message) => unwrapTold(codecs, message))
    return completionFrom<R>(this.wire, result, additional, told, codecs)
  }
}
