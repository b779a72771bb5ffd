/**
 * Runs attempts in the thread of their caller (row L7), where a debugger meets their handlers: the same steps as on a thread of an
 * executor, without anybody who could end one by force.
 *
 * 1. Every attempt given to `start` ends in exactly one verdict: reported, handed back or forgotten.
 * 2. An attempt told to stop is over within its grace. Its handler may go on: it is not listened to any more, and its slot is taken
 *    until it returns.
 * 3. The first cause to stop an attempt stands, but for `fenced`, which overrides all others.
 */
import assert from 'node:assert/strict'
import { LANE_DEFAULT, LANE_NAMES, type LaneName } from '@offstage/proto/lanes'
import type {
  AttemptKey,
  AttemptOrder,
  AttemptRef,
  HandlerEnd,
  KeyedAttempt,
} from '../domain/attempt.ts'
import type { PassedDeadline } from '../domain/deadline.ts'
import { LaneSlots } from '../domain/lane-slots.ts'
import { stopReason } from '../domain/stop-reason.ts'
import { type StopCause, verdictOf } from '../domain/verdict.ts'
import { AttemptDeadlines } from '../lanes/attempt-deadlines.ts'
import { type Claim, ClaimBoard, HeldClaims } from '../lanes/claims.ts'
import { startTimer } from '../lanes/long-timer.ts'
import { rowFromOrder } from '../lanes/order-row.ts'
import { STOP_GRACE_MS } from '../lanes/supervisor.ts'
import type {
  ThreadMessage,
  ThreadOrders,
  ThreadReports,
  TokenAsk,
} from '../lanes/thread-messages.ts'
import type { AttemptReports, Attempts, IssueToken } from '../ports.ts'
import type { AttemptMeans } from '../run/job-context.ts'
import { Reporter } from '../run/reporter.ts'
import { Runner, type TracedAttempt } from '../run/runner.ts'
import { TokenDesk } from '../run/token-desk.ts'

export interface CallerAttemptsOptions extends Pick<AttemptMeans, 'jobs' | 'clients'> {
  readonly slots: number
  readonly reports: AttemptReports
  /** Undefined in development mode, where handlers have no tokens. */
  readonly issueToken: IssueToken | undefined
  readonly traced: TracedAttempt
  /** Calls something outside of whatever the caller is in the middle of: nothing of that flows into a job (row J13). */
  outside(call: () => void): void
}

interface Running extends KeyedAttempt {
  readonly lane: LaneName
  readonly claim: Claim
  parked: boolean
  stop: { cause: StopCause; readonly timer: NodeJS.Timeout } | undefined
  /** It has had its verdict, and its handler goes on. */
  isOver: boolean
}

export interface CallerLane {
  readonly name: LaneName
  readonly slots: LaneSlots
}

const NO_ORDERS: ThreadOrders = { attempts: [], stops: [], tokens: [] }

export class CallerAttempts implements Attempts {
  readonly lanes: readonly [CallerLane, ...CallerLane[]]
  readonly #options: CallerAttemptsOptions
  readonly #board = new ClaimBoard()
  readonly #runner: Runner
  readonly #attempts = new Map<AttemptKey, Running>()
  readonly #deadlines = new AttemptDeadlines((key, passed) => this.#overdue(key, passed))
  #idle: PromiseWithResolvers<void> | undefined
  #finished = 0
  #handedBack = 0

  constructor(options: CallerAttemptsOptions) {
    this.#options = options
    const lane = (name: LaneName) => ({ name, slots: new LaneSlots(options.slots) })
    const [, ...others] = LANE_NAMES
    this.lanes = [lane(LANE_DEFAULT), ...others.map(lane)]
    // A copy, as between threads: what a handler has reported is not changed by what it does next.
    const port = { postMessage: (message: ThreadMessage) => this.#hear(structuredClone(message)) }
    const reporter = new Reporter(port)
    this.#runner = new Runner({
      jobs: options.jobs,
      clients: options.clients,
      reporter,
      claims: new HeldClaims(this.#board.memory),
      traced: options.traced,
      ...(options.issueToken && { tokens: new TokenDesk(reporter) }),
    })
  }

  get running(): Iterable<AttemptRef> {
    return [...this.#attempts.values()].filter(({ isOver }) => !isOver)
  }

  get counts(): { readonly finished: number; readonly handedBack: number } {
    return { finished: this.#finished, handedBack: this.#handedBack }
  }

  lane(name: LaneName): CallerLane {
    const lane = this.lanes.find((each) => each.name === name)
    assert(lane !== undefined, `there is a lane ${name}`)
    return lane
  }

  has(key: AttemptKey): boolean {
    return this.#attempts.get(key)?.isOver === false
  }

  start(order: AttemptOrder): void {
    assert(!this.#attempts.has(order.key), 'an attempt is started once')
    const { key, jobId, attempt, lane } = order
    const claim = this.#board.give()
    this.lane(lane).slots.occupy()
    this.#deadlines.begin(order)
    const running = { key, jobId, attempt, lane, claim, parked: false, isOver: false }
    this.#attempts.set(key, { ...running, stop: undefined })
    this.#obey({ ...NO_ORDERS, attempts: [rowFromOrder(order, claim)] })
  }

  stop(key: AttemptKey, cause: StopCause, graceMs: number): void {
    const running = this.#attempts.get(key)
    if (running === undefined || running.isOver) return
    if (running.stop !== undefined) {
      if (cause.kind === 'fenced') running.stop.cause = cause
      return
    }
    const timer = startTimer(() => this.#give(running, { kind: 'terminated' }), graceMs)
    running.stop = { cause, timer }
    this.#obey({ ...NO_ORDERS, stops: [{ key, ...stopReason(cause) }] })
    if (this.#board.withdraw(running.claim)) this.#end(running, { kind: 'withdrawn' })
  }

  stopAll(cause: StopCause, graceMs: number): void {
    for (const key of [...this.#attempts.keys()]) this.stop(key, cause, graceMs)
  }

  idle(): Promise<void> {
    if (!this.#isBusy) return Promise.resolve()
    this.#idle ??= Promise.withResolvers()
    return this.#idle.promise
  }

  get #isBusy(): boolean {
    for (const { isOver } of this.#attempts.values()) if (!isOver) return true
    return false
  }

  #obey(orders: ThreadOrders): void {
    this.#options.outside(() => this.#runner.obey(orders))
  }

  #hear(message: ThreadMessage): void {
    if (message.kind === 'reports') this.#take(message.reports)
  }

  #take({ progress, heartbeats, messages, waiting, tokens, ends, successes }: ThreadReports): void {
    const { reports } = this.#options
    const each = <T extends { readonly key: AttemptKey }>(
      told: readonly T[] | undefined,
      hear: (running: Running, report: T) => void,
    ) => {
      for (const report of told ?? []) {
        const running = this.#attempts.get(report.key)
        if (running?.isOver === false) hear(running, report)
      }
    }
    each(progress, (running, { note }) => {
      this.#deadlines.heard(running.key)
      reports.progressed(running, note)
    })
    each(heartbeats, (running, { data }) => {
      const isAwaited = this.#deadlines.heard(running.key)
      if (isAwaited || data !== undefined) reports.lived(running, data)
    })
    each(messages, (running, { note }) => {
      this.#deadlines.heard(running.key)
      reports.messaged(running, note)
    })
    each(waiting, (running, report) => this.#wait(running, report.waiting))
    each(tokens, (running, ask) => void this.#giveToken(running, ask))
    for (const { key, end } of ends ?? []) this.#handlerEnded(key, end)
    for (const [key, result] of successes ?? []) {
      this.#handlerEnded(key, { kind: 'succeeded', result })
    }
  }

  async #giveToken({ key, jobId, attempt }: Running, { privileged }: TokenAsk): Promise<void> {
    const answer = await this.#options.issueToken?.({ jobId, attempt }, { privileged })
    if (answer !== undefined) this.#obey({ ...NO_ORDERS, tokens: [{ key, privileged, answer }] })
  }

  #overdue(key: AttemptKey, passed: PassedDeadline): void {
    const running = this.#attempts.get(key)
    if (running === undefined) return
    if (passed.deadline === 'heartbeat' && !this.#board.hasBegun(running.claim)) {
      this.#deadlines.listen(key, passed.ms)
      this.#options.reports.lived(running, undefined)
    } else this.stop(key, { kind: 'overdue', ...passed }, STOP_GRACE_MS)
  }

  #wait(running: Running, waiting: boolean): void {
    this.#deadlines.waits(running.key, waiting)
    if (waiting === running.parked) return
    const { slots } = this.lane(running.lane)
    if (waiting) slots.park()
    else slots.resume()
    running.parked = waiting
    this.#options.reports.waited(running, waiting)
    this.#options.reports.creditsChanged()
  }

  #handlerEnded(key: AttemptKey, end: HandlerEnd): void {
    const running = this.#attempts.get(key)
    if (running !== undefined) this.#end(running, end)
  }

  /** Its handler is done, or was never called. */
  #end(running: Running, end: HandlerEnd): void {
    this.#give(running, end)
    this.#attempts.delete(running.key)
    this.#board.release(running.claim)
    this.lane(running.lane).slots.release(running.parked)
    this.#options.reports.creditsChanged()
  }

  /** Its verdict, once. */
  #give(running: Running, end: HandlerEnd): void {
    if (running.isOver) return
    running.isOver = true
    this.#deadlines.end(running.key)
    clearTimeout(running.stop?.timer)
    const { reports } = this.#options
    const verdict = verdictOf(end, running.stop?.cause)
    if (verdict.kind === 'report') {
      this.#finished += 1
      reports.ended(running, verdict.outcome)
    } else if (verdict.kind === 'hand-back') {
      this.#handedBack += 1
      reports.handedBack(running)
    } else reports.forgotten(running)
    if (this.#isBusy) return
    this.#idle?.resolve()
    this.#idle = undefined
  }
}
