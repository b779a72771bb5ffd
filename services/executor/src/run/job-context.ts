/**
 * What a handler sees of its job. Made for every attempt, used little by most: whatever costs
 * something (signal, client, progress) comes into being when it is first asked for.
 */

// As in reporter.ts.
import { clearInterval, setInterval } from 'node:timers'
import type { HeldLock, LockOptions, Offstage } from '@offstage/sdk/client'
import {
  BYTES_TYPE,
  type Codec,
  decodeBy,
  type JobContext,
  type JobDefinition,
} from '@offstage/sdk/jobs'
import type { AttemptOrder } from '../domain/attempt.ts'
import { traceIdFromTraceparent } from '../domain/trace-id.ts'
import type { ClientSource } from './client-source.ts'
import { Heartbeat } from './heartbeat.ts'
import { Messages } from './messages.ts'
import { OwnAbortController, type OwnMap, parseJson } from './own-copies.ts'
import { Progress } from './progress.ts'
import type { Reporter } from './reporter.ts'
import { scheduleOf } from './schedule-of.ts'
import type { AttemptTokens, TokenDesk } from './token-desk.ts'
import { WrappedReports } from './wrapped-reports.ts'

/** Well within the shortest heartbeat deadline. */
const OWN_WORK_MS = 300
const NO_TOKENS: readonly AttemptTokens[] = []
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({})
const OVER = new Error('the attempt is over: its parameters are read no further')

/** What an attempt has at hand on its thread. */
export interface AttemptMeans {
  readonly jobs: Pick<OwnMap<string, JobDefinition>, 'get'>
  readonly reporter: Reporter
  readonly clients: Pick<ClientSource, 'forJob'>
  /** Where clients get tokens; undefined in development mode. */
  readonly tokens?: TokenDesk
}

export class AttemptContext implements JobContext {
  readonly #order: AttemptOrder
  readonly #reporter: Reporter
  readonly #clients: AttemptMeans['clients']
  readonly #desk: TokenDesk | undefined
  readonly #jobs: AttemptMeans['jobs']
  #tokens: readonly AttemptTokens[] = NO_TOKENS
  #stopReason: Error | undefined
  #abort: AbortController | undefined
  #client: Offstage | undefined
  #ownersClient: Offstage | undefined
  #reports: WrappedReports | undefined
  #progress: Progress | undefined
  #messages: Messages | undefined
  #heartbeat: Heartbeat | undefined
  #additional: unknown
  #ended: AbortController | undefined
  #isSettled = false

  constructor(order: AttemptOrder, { reporter, clients, tokens, jobs }: AttemptMeans) {
    this.#order = order
    this.#reporter = reporter
    this.#clients = clients
    this.#desk = tokens
    this.#jobs = jobs
  }

  get id(): string {
    return this.#order.jobId
  }
  get method(): string {
    return this.#order.method
  }
  get requestedMethod(): string | undefined {
    return this.#order.requestedMethod
  }
  get displayName(): string {
    return this.#order.displayName ?? this.method
  }
  get parentJobId(): string {
    return this.#order.parentJobId ?? ''
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
  get schedule(): JobContext['schedule'] {
    return scheduleOf(this.labels)
  }
  get scope(): string {
    return this.#order.scope ?? ''
  }
  get resultAddress(): string {
    return this.#order.resultAddress ?? ''
  }
  get wantsAdditionalResult(): boolean {
    return this.#order.wantAdditionalResult ?? false
  }
  get additionalResultAddress(): string {
    return this.#order.additionalResultAddress ?? ''
  }
  get traceId(): string {
    return traceIdFromTraceparent(this.#order.traceparent)
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new OwnAbortController()
      if (this.#stopReason !== undefined) this.#abort.abort(this.#stopReason)
    }
    return this.#abort.signal
  }

  progress(percent: number, text?: string, extra?: Record<string, unknown>): void {
    this.#progress ??= new Progress(this.#order.key, this.#reporter, this.reports)
    this.#progress.report(percent, text, extra)
  }

  message(text: string, options?: Parameters<JobContext['message']>[1]): void {
    this.#messages ??= new Messages(this.#order.key, this.#reporter, this.reports)
    this.#messages.say(text, options)
  }

  heartbeat(data?: unknown): void {
    this.#heartbeat ??= new Heartbeat(this.#order.key, this.#reporter, this.reports)
    this.#heartbeat.beat(data)
  }

  get lastHeartbeat(): unknown {
    const { lastHeartbeat, lastHeartbeatType = BYTES_TYPE } = this.#order
    if (typeof lastHeartbeat === 'string') return parseJson(lastHeartbeat)
    return lastHeartbeat && decodeBy([this.#codec], Buffer.from(lastHeartbeat), lastHeartbeatType)
  }

  /** The executor's own work on behalf of the handler is no silence of that. */
  async aliveDuring<T>(work: Promise<T>): Promise<T> {
    const { key, heartbeatMs } = this.#order
    if (heartbeatMs === undefined) return work
    const timer = setInterval(() => this.#reporter.heartbeat(key), OWN_WORK_MS)
    try {
      return await work
    } finally {
      clearInterval(timer)
    }
  }

  lock(name: string | readonly string[], options: LockOptions = {}): Promise<HeldLock> {
    const held = { jobId: this.id, attempt: this.attempt }
    return this.client.lock(name, { signal: this.signal, ...options, ...held })
  }

  setAdditionalResult(value: unknown): void {
    this.#additional = value
  }

  get client(): Offstage {
    this.#client ??= this.#connect(this.#isPrivileged)
    return this.#client
  }

  /**
   * By which the executor itself goes to what the caller of the job has named. Never privileged: else whoever may start a
   * privileged method could read and overwrite the values of everybody.
   */
  get ownersClient(): Offstage {
    if (!this.#isPrivileged) return this.client
    this.#ownersClient ??= this.#connect(false)
    return this.#ownersClient
  }

  get #codec(): Codec | undefined {
    return this.#jobs.get(this.method)?.codec
  }

  /** How what the attempt tells of itself is told. */
  get reports(): WrappedReports {
    this.#reports ??= new WrappedReports(this.#codec)
    return this.#reports
  }

  get #isPrivileged(): boolean {
    return this.#jobs.get(this.method)?.privileged === true
  }

  #connect(privileged: boolean): Offstage {
    const { key } = this.#order
    const tokens = this.#desk?.open({ key, privileged })
    if (tokens !== undefined) this.#tokens = this.#tokens.concat(tokens)
    const client = this.#clients.forJob(this.#order, {
      signal: this.signal,
      onWaiting: (waiting) => this.#reporter.waiting(key, waiting),
      tokens,
      hasOwnersRights: !privileged,
      codec: this.#codec,
    })
    // Whoever first asks for the client after the end has missed it.
    if (this.#isSettled) {
      tokens?.close()
      void client.close()
    }
    return client
  }

  get storage(): Offstage['storage'] {
    return this.client.storage
  }
  get startJob(): Offstage['startJob'] {
    return this.client.startJob.bind(this.client)
  }
  get startJobs(): Offstage['startJobs'] {
    return this.client.startJobs.bind(this.client)
  }
  get startJobsSettled(): Offstage['startJobsSettled'] {
    return this.client.startJobsSettled.bind(this.client)
  }
  get run(): Offstage['run'] {
    return this.client.run.bind(this.client)
  }
  get runAll(): Offstage['runAll'] {
    return this.client.runAll.bind(this.client)
  }
  get waitAll(): Offstage['waitAll'] {
    return this.client.waitAll.bind(this.client)
  }
  get waitAny(): Offstage['waitAny'] {
    return this.client.waitAny.bind(this.client)
  }
  get asCompleted(): Offstage['asCompleted'] {
    return this.client.asCompleted.bind(this.client)
  }

  /** The additional result, where one was asked for (row L5). */
  get additionalResult(): unknown {
    return this.#order.wantAdditionalResult ? this.#additional : undefined
  }

  /** Aborted once the attempt is over, however it ended: what was opened for the handler is read no further. */
  get ended(): AbortSignal {
    this.#ended ??= new OwnAbortController()
    if (this.#isSettled) this.#ended.abort(OVER)
    return this.#ended.signal
  }

  /** Why the attempt was told to stop; undefined when it was not. */
  get stopReason(): Error | undefined {
    return this.#stopReason
  }

  stop(reason: Error): void {
    this.#stopReason ??= reason
    this.#abort?.abort(reason)
  }

  /** The handler is done: its last progress and heartbeat, and what is to be said of its messages, go out before its end. */
  settle(): void {
    this.#isSettled = true
    this.#ended?.abort(OVER)
    this.#progress?.flush()
    this.#messages?.flush()
    this.#heartbeat?.flush()
    // By index: how lists are walked is for handlers to change.
    for (let at = 0; at < this.#tokens.length; at += 1) this.#tokens[at]?.close()
    void this.#client?.close()
    void this.#ownersClient?.close()
  }
}
