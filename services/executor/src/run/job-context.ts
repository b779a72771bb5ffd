/**
 * What a handler sees of its job. Made for every attempt, used little by most: whatever costs
 * something (signal, client, progress) comes into being when it is first asked for.
 */

import type { JobContext } from '@offstage/sdk/jobs'
import type { AttemptOrder } from '../domain/attempt.ts'
import { traceIdFromTraceparent } from '../domain/trace-id.ts'
import type { ClientSource, JobClient } from './client-source.ts'
import { checkExtra } from './extra.ts'
import { Progress } from './progress.ts'
import type { Reporter } from './reporter.ts'
import type { Values } from './values.ts'

const MESSAGE_CHARS_MAX = 4_000
const HEARTBEAT_INTERVAL_MS = 100
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({})

export class AttemptContext implements JobContext {
  readonly #order: AttemptOrder
  readonly #reporter: Reporter
  readonly #clients: ClientSource
  #stopReason: Error | undefined
  #abort: AbortController | undefined
  #client: JobClient | undefined
  #progress: Progress | undefined
  #messages = 0
  #waits = 0
  #beatAt = Number.NEGATIVE_INFINITY
  #additional: unknown

  constructor(order: AttemptOrder, reporter: Reporter, clients: ClientSource) {
    this.#order = order
    this.#reporter = reporter
    this.#clients = clients
  }

  get id(): string {
    return this.#order.jobId
  }
  get method(): string {
    return this.#order.method
  }
  get attempt(): number {
    return this.#order.attempt
  }
  get owner(): string {
    return this.#order.owner ?? ''
  }
  get namespace(): string {
    return this.#order.namespace
  }
  get key(): string {
    return this.#order.jobKey ?? ''
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#order.labels ?? NO_LABELS
  }
  get scope(): string {
    return this.#order.scope ?? ''
  }
  get traceId(): string {
    return traceIdFromTraceparent(this.#order.traceparent)
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#stopReason !== undefined) this.#abort.abort(this.#stopReason)
    }
    return this.#abort.signal
  }

  progress(percent: number, text?: string, extra?: Record<string, unknown>): void {
    this.#progress ??= new Progress(this.#order.key, this.#reporter)
    this.#progress.report(percent, text, extra)
  }

  message(text: string, options: Parameters<JobContext['message']>[1] = {}): void {
    const { severity = 'info', extra } = options
    const checked = extra === undefined ? {} : { extra: checkExtra(extra) }
    this.#messages += 1
    this.#reporter.message(this.#order.key, {
      number: this.#messages,
      severity,
      text: text.slice(0, MESSAGE_CHARS_MAX),
      ...checked,
    })
  }

  heartbeat(): void {
    const now = performance.now()
    if (now - this.#beatAt < HEARTBEAT_INTERVAL_MS) return
    this.#beatAt = now
    this.#reporter.heartbeat(this.#order.key)
  }

  setAdditionalResult(value: unknown): void {
    this.#additional = value
  }

  get client(): JobClient {
    this.#client ??= this.#clients.forJob(this.#order, (waiting) => this.#wait(waiting))
    return this.#client
  }
  get storage(): JobClient['storage'] {
    return this.client.storage
  }
  get startJob(): JobClient['startJob'] {
    return this.client.startJob.bind(this.client)
  }
  get startJobs(): JobClient['startJobs'] {
    return this.client.startJobs.bind(this.client)
  }
  get startJobsSettled(): JobClient['startJobsSettled'] {
    return this.client.startJobsSettled.bind(this.client)
  }
  get run(): JobClient['run'] {
    return this.client.run.bind(this.client)
  }
  get runAll(): JobClient['runAll'] {
    return this.client.runAll.bind(this.client)
  }
  get waitAll(): JobClient['waitAll'] {
    return this.client.waitAll.bind(this.client)
  }
  get waitAny(): JobClient['waitAny'] {
    return this.client.waitAny.bind(this.client)
  }
  get asCompleted(): JobClient['asCompleted'] {
    return this.client.asCompleted.bind(this.client)
  }

  /** Temp storage for the executor's own use: parameters and results. */
  get values(): Values {
    return this.#clients.values(this.#order, this.signal)
  }

  /** The additional result, where one was asked for (row L5). */
  get additionalResult(): unknown {
    return this.#order.wantAdditionalResult ? this.#additional : undefined
  }

  /** Why the attempt was told to stop; undefined when it was not. */
  get stopReason(): Error | undefined {
    return this.#stopReason
  }

  stop(reason: Error): void {
    this.#stopReason ??= reason
    this.#abort?.abort(reason)
  }

  /** The handler is done: its last progress goes out before its end. */
  settle(): void {
    this.#progress?.flush()
  }

  /** Waits may overlap; the slot is free from the first until all are over. */
  #wait(waiting: boolean): void {
    this.#waits += waiting ? 1 : -1
    const changed = waiting ? this.#waits === 1 : this.#waits === 0
    if (changed) this.#reporter.waiting(this.#order.key, waiting)
  }
}
