/**
 * Runs attempts on the lanes and sees to it that each ends: by itself, by its deadline, by a cancel,
 * or with its thread.
 *
 * 1. Every attempt given to `start` ends in exactly one verdict: reported, handed back or forgotten.
 * 2. An attempt told to stop is over within its grace. Where its handler was not called yet it is
 *    withdrawn at once, and no thread is touched; else its thread is terminated (guarantee 7).
 * 3. When a thread ends, attempts whose handlers were not called move to another one. Those that had
 *    begun, were not told to stop and are not to blame (`guilty.ts`) are handed back.
 * 4. A thread may compute for as long as it likes. What waits for it to be begun does not: it moves
 *    on, and the thread is ended only if nothing that has begun is left on it.
 * 5. The first cause to stop an attempt stands, but for `fenced`, which overrides all others.
 * 6. A parked attempt (it waits for children, row J11) holds no slot, however many there are.
 */

import assert from 'node:assert/strict'
import type { LaneName } from '@offstage/proto/lanes'
import type {
  AttemptKey,
  AttemptOrder,
  AttemptRef,
  GlobalsChange,
  HandlerEnd,
  HeartbeatData,
  LoopBlock,
} from '../domain/attempt.ts'
import type { PassedDeadline } from '../domain/deadline.ts'
import type { LeakFigures } from '../domain/leaks.ts'
import { placeOf } from '../domain/place-of.ts'
import { RecentJobs } from '../domain/recent-jobs.ts'
import type { RefreshScope } from '../domain/refresh-scope.ts'
import { stopReason } from '../domain/stop-reason.ts'
import { type StopCause, verdictOf } from '../domain/verdict.ts'
import type { AttemptReports, IssueToken, RefreshesElsewhere } from '../ports.ts'
import { AttemptDeadlines } from './attempt-deadlines.ts'
import { guiltyOf } from './guilty.ts'
import type { HandlerThread, ThreadEnd, ThreadListener } from './handler-thread.ts'
import type { Lane } from './lane.ts'
import { LeakLedger } from './leak-ledger.ts'
import { startTimer } from './long-timer.ts'
import { isPossible, type RunningAttempt } from './running-attempt.ts'
import type { ThreadJournal } from './thread-journal.ts'
import type { RefreshAsk, ThreadReports, TokenAsk } from './thread-messages.ts'
import { ThreadPatrol } from './thread-patrol.ts'

/** How long a handler may take to stop where no order says otherwise. */
export const STOP_GRACE_MS = 5_000
/** An attempt that so many threads did not begin ends with the last of them. */
const MOVES_MAX = 3
const HANDED_BACK_KEPT_MAX = 10_000

export class Supervisor implements ThreadListener {
  readonly #lanes = new Map<LaneName, Lane>()
  readonly #attempts = new Map<AttemptKey, RunningAttempt>()
  /** What attempts have left behind. */
  readonly leaks = new LeakLedger()
  readonly #handedBackJobs = new RecentJobs(HANDED_BACK_KEPT_MAX)
  readonly #reports: AttemptReports
  readonly #issueToken: IssueToken
  readonly #journal: ThreadJournal
  readonly #elsewhere: RefreshesElsewhere
  readonly #patrol: ThreadPatrol
  readonly #deadlines = new AttemptDeadlines((key, passed) => this.#overdue(key, passed))
  #idle: PromiseWithResolvers<void> | undefined
  #finished = 0
  #handedBack = 0

  constructor(
    reports: AttemptReports,
    issueToken: IssueToken,
    journal: ThreadJournal,
    elsewhere: RefreshesElsewhere,
  ) {
    this.#reports = reports
    this.#issueToken = issueToken
    this.#journal = journal
    this.#elsewhere = elsewhere
    this.#patrol = new ThreadPatrol({
      lanes: this.#lanes,
      attempts: this.#attempts,
      move: (running) => this.#move(running),
      journal,
    })
  }

  addLane(lane: Lane): void {
    this.#lanes.set(lane.name, lane)
  }

  /** The attempts that have not ended. */
  get running(): Iterable<AttemptRef> {
    return this.#attempts.values()
  }

  /** How many attempts ended in which way since the start. */
  get counts(): { readonly finished: number; readonly handedBack: number } {
    return { finished: this.#finished, handedBack: this.#handedBack }
  }

  lane(name: LaneName): Lane {
    const lane = this.#lanes.get(name)
    assert(lane !== undefined, `there is a lane ${name}`)
    return lane
  }

  has(key: AttemptKey): boolean {
    return this.#attempts.has(key)
  }

  start(order: AttemptOrder): void {
    assert(!this.#attempts.has(order.key), 'an attempt is started once')
    const lane = this.lane(order.lane)
    lane.slots.occupy()
    const { key, jobId, attempt, method } = order
    this.#deadlines.begin(order)
    this.#attempts.set(key, {
      key,
      jobId,
      attempt,
      method,
      lane,
      thread: lane.run(order, this.#handedBackJobs.has(jobId)),
      order,
      moves: 0,
      parked: false,
      stop: undefined,
    })
    this.#patrol.begin()
  }

  /** Tells an attempt to stop, and ends its thread when it has not done so within the grace. */
  stop(key: AttemptKey, cause: StopCause, graceMs: number): void {
    const running = this.#attempts.get(key)
    if (running === undefined) return
    if (running.stop !== undefined) {
      if (cause.kind === 'fenced') running.stop.cause = cause
      return
    }
    const { thread } = running
    const timer = startTimer(() => this.#endByForce(running), graceMs)
    running.stop = { cause, timer }
    if (thread.usable) thread.stop({ key, ...stopReason(cause) })
    if (thread.withdraw(key)) this.#end(running, { kind: 'withdrawn' })
  }

  stopAll(cause: StopCause, graceMs: number): void {
    for (const key of this.#attempts.keys()) this.stop(key, cause, graceMs)
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    if (this.#attempts.size === 0) return Promise.resolve()
    this.#idle ??= Promise.withResolvers()
    return this.#idle.promise
  }

  onReports(thread: HandlerThread, reports: ThreadReports): void {
    const { progress, heartbeats, messages, waiting, tokens, leftOpen, ends, successes } = reports
    this.#own(thread, progress, (running, { note }) => {
      this.#deadlines.heard(running.key)
      this.#reports.progressed(running, note)
    })
    this.#own(thread, heartbeats, (running, { data }) => this.#beat(running, data))
    this.#own(thread, messages, (running, { note }) => {
      this.#deadlines.heard(running.key)
      this.#reports.messaged(running, note)
    })
    this.#own(thread, waiting, (running, { waiting }) => this.#wait(running, waiting))
    this.#own(thread, tokens, (running, ask) => void this.#giveToken(running, ask))
    this.#own(thread, leftOpen, (running, { notes }) => this.#journal.leftOpen(running, notes))
    this.#own(thread, ends, (running, { end }) => {
      if (isPossible(running, end)) this.#end(running, end)
    })
    for (const [key, result] of successes ?? []) {
      const running = this.#attempts.get(key)
      if (running?.thread === thread) this.#end(running, { kind: 'succeeded', result })
    }
  }

  onUnreadable(thread: HandlerThread): void {
    this.#journal.unreadable(thread)
  }

  /** What a thread has refreshed the others are told at once, and other processes before it is answered. */
  async onRefresh(thread: HandlerThread, ask: RefreshAsk): Promise<void> {
    if ('scope' in ask) this.refreshed(ask.scope, thread)
    const fault =
      'scope' in ask
        ? await this.#elsewhere.passOn(ask.scope)
        : await this.#elsewhere.reach(ask.epoch)
    if (!thread.usable) return
    const { epoch } = this.#elsewhere
    thread.answerRefresh({ id: ask.id, epoch, ...(fault !== undefined && { fault }) })
  }

  /** Reusable values were refreshed: all threads but the one that says so are told. */
  refreshed(scope: RefreshScope, by?: HandlerThread): void {
    for (const lane of this.#lanes.values()) {
      for (const thread of lane.threads)
        if (thread !== by && thread.usable) thread.refreshes.tell(scope)
    }
  }

  onChanged(thread: HandlerThread, change: GlobalsChange): void {
    this.#journal.changed(thread, change)
    for (const key of [...thread.attempts]) {
      const running = this.#attempts.get(key)
      if (running === undefined) continue
      if (!thread.hasBegun(key)) this.#move(running)
    }
  }

  onBlocked(thread: HandlerThread, block: LoopBlock): void {
    this.#journal.blocked(thread, block)
  }

  onLeaks(thread: HandlerThread, figures: readonly LeakFigures[]): void {
    this.leaks.note(thread, figures)
  }

  /** The names of runs that are tracked for leaks from now on. */
  trackLeaks(names: readonly string[]): void {
    for (const lane of this.#lanes.values()) lane.trackLeaks(names)
  }

  onEnded(thread: HandlerThread, end: ThreadEnd): void {
    this.leaks.ended(thread)
    const before = this.#handedBack
    const given = [...thread.attempts].flatMap((key) => this.#attempts.get(key) ?? [])
    const [begun = [], waiting = []] = [true, false].map((has) =>
      given.filter(({ key }) => thread.hasBegun(key) === has),
    )
    const guilty = guiltyOf(thread, end, begun, (jobId) => this.#handedBackJobs.times(jobId))
    if (guilty.method !== undefined) this.#moveApart(begun[0]?.lane, guilty.method)
    // What the code of others has thrown is not for the owner of a job that had not begun.
    const others = lostBy(withoutMessage(end))
    for (const running of waiting) {
      if (!this.#move(running)) this.#end(running, others)
    }
    for (const running of begun) {
      // Nor is it where nobody can tell whose it was.
      const isItsOwn = guilty.method !== undefined && !thread.wraps(running.method)
      const told = isItsOwn ? end : withoutMessage(end)
      this.#end(running, guilty.attempts.has(running) ? told : { kind: 'terminated' })
    }
    this.#journal.ended(thread, end, { handedBack: this.#handedBack - before })
  }

  #moveApart(lane: Lane | undefined, method: string): void {
    if (lane?.moveApart(method)) this.#journal.movedApart(method)
  }

  /** A handler that was not called yet has nothing to say: the executor speaks for it. */
  #overdue(key: AttemptKey, passed: PassedDeadline): void {
    const running = this.#attempts.get(key)
    if (running === undefined) return
    if (passed.deadline === 'heartbeat' && !running.thread.hasBegun(key)) {
      this.#deadlines.listen(key, passed.ms)
      this.#reports.lived(running, undefined)
    } else this.stop(key, { kind: 'overdue', ...passed }, STOP_GRACE_MS)
  }

  #beat(running: RunningAttempt, data: HeartbeatData | undefined): void {
    const isAwaited = this.#deadlines.heard(running.key)
    if (isAwaited || data !== undefined) this.#reports.lived(running, data)
  }

  /** What a thread says of attempts that run on it: it speaks for nobody else's. */
  #own<T extends { readonly key: AttemptKey }>(
    thread: HandlerThread,
    reports: readonly T[] | undefined,
    hear: (running: RunningAttempt, report: T) => void,
  ): void {
    if (reports === undefined) return
    for (const report of reports) {
      const running = this.#attempts.get(report.key)
      if (running?.thread === thread) hear(running, report)
    }
  }

  /** Its handler does not stop: its method, or whichever blocks the thread, runs apart from now on. */
  #endByForce(running: RunningAttempt): void {
    const { lane, thread } = running
    // Many may be late at once, such as those that waited for children.
    if (!thread.usable) return
    const culprit = this.#attempts.get(thread.calling ?? running.key) ?? running
    this.#journal.deaf(thread, { method: culprit.method, jobId: running.jobId })
    this.#moveApart(lane, culprit.method)
    void thread.terminate()
  }

  /** Gives an attempt that has not begun to another thread; false when it has, or was moved too often. */
  #move(running: RunningAttempt): boolean {
    const { key, order, lane, thread, jobId } = running
    if (order === undefined || running.moves >= MOVES_MAX || !thread.withdraw(key)) return false
    running.moves += 1
    this.#journal.moved(1)
    lane.release(thread, key)
    running.thread = lane.run(order, this.#handedBackJobs.has(jobId))
    return true
  }

  async #giveToken(
    { key, jobId, attempt, thread }: RunningAttempt,
    { privileged }: TokenAsk,
  ): Promise<void> {
    const answer = await this.#issueToken({ jobId, attempt }, { privileged })
    if (thread.usable) thread.answer({ key, privileged, answer })
  }

  #wait(running: RunningAttempt, waiting: boolean): void {
    this.#deadlines.waits(running.key, waiting)
    if (waiting === running.parked) return
    const { lane, thread } = running
    running.order = undefined
    running.parked = waiting
    if (waiting) lane.park(thread)
    else lane.resume(thread)
    this.#reports.waited(running, waiting)
    this.#reports.creditsChanged()
  }

  #end(running: RunningAttempt, end: HandlerEnd): void {
    this.#attempts.delete(running.key)
    this.#deadlines.end(running.key)
    clearTimeout(running.stop?.timer)
    running.lane.release(running.thread, running.key, running.parked)
    running.lane.slots.release(running.parked)
    this.#tell(running, end)
    this.#reports.creditsChanged()
    if (this.#attempts.size === 0) {
      this.#idle?.resolve()
      this.#idle = undefined
    }
  }

  #tell(running: RunningAttempt, end: HandlerEnd): void {
    const verdict = verdictOf(end, running.stop?.cause)
    switch (verdict.kind) {
      case 'report':
        this.#finished += 1
        this.#handedBackJobs.delete(running.jobId)
        this.#reports.ended(running, verdict.outcome)
        break
      case 'hand-back':
        this.#handedBack += 1
        if (end.kind === 'terminated') this.#handedBackJobs.add(running.jobId)
        this.#reports.handedBack(running)
        break
      case 'forget':
        this.#reports.forgotten(running)
        break
    }
  }
}

function lostBy(end: ThreadEnd): HandlerEnd {
  if (end.kind === 'lost') return end
  const detail = `${MOVES_MAX + 1} threads did not begin it.`
  return { kind: 'lost', detail, reason: 'EXECUTOR_THREAD_LOST' }
}

function withoutMessage(end: ThreadEnd): ThreadEnd {
  return end.kind === 'lost' && end.thrown ? { ...end, detail: placeOf(end.detail) } : end
}
