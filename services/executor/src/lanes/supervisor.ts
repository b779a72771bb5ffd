/**
 * Runs attempts on the lanes and sees to it that each ends: by itself, by its deadline, by a cancel,
 * or with its thread.
 *
 * 1. Every attempt given to `start` ends in exactly one verdict: reported, handed back or forgotten.
 * 2. An attempt told to stop is over within its grace. Where its handler was not called yet it is
 *    withdrawn at once, and no thread is touched; else its thread is terminated (guarantee 7).
 * 3. When a thread ends, attempts whose handlers were not called move to another one. Those that had
 *    begun, were not told to stop and are not to blame (`thread-loss.ts`) are handed back.
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
import type { RefreshScope } from '../domain/refresh-scope.ts'
import { stopReason } from '../domain/stop-reason.ts'
import type { StopCause } from '../domain/verdict.ts'
import type { AttemptReports, IssueToken, RefreshesElsewhere } from '../ports.ts'
import { AttemptDeadlines } from './attempt-deadlines.ts'
import type { HandlerThread, ThreadEnd, ThreadListener } from './handler-thread.ts'
import type { Lane } from './lane.ts'
import { LeakLedger } from './leak-ledger.ts'
import { startTimer } from './long-timer.ts'
import { isPossible, MOVES_MAX, type RunningAttempt } from './running-attempt.ts'
import type { ThreadJournal } from './thread-journal.ts'
import { lossBy } from './thread-loss.ts'
import type { RefreshAsk, ThreadReports, TokenAsk } from './thread-messages.ts'
import { ThreadPatrol } from './thread-patrol.ts'
import { ToldRefreshes } from './told-refreshes.ts'
import { Verdicts } from './verdicts.ts'

/** How long a handler may take to stop where no order says otherwise. */
export const STOP_GRACE_MS = 5_000

export class Supervisor implements ThreadListener {
  readonly #lanes = new Map<LaneName, Lane>()
  readonly #attempts = new Map<AttemptKey, RunningAttempt>()
  /** What attempts have left behind. */
  readonly leaks = new LeakLedger()
  readonly #reports: AttemptReports
  readonly #verdicts: Verdicts
  readonly #issueToken: IssueToken
  readonly #journal: ThreadJournal
  readonly #refreshes: ToldRefreshes
  readonly #patrol: ThreadPatrol
  readonly #deadlines = new AttemptDeadlines((key, passed) => this.#overdue(key, passed))
  #idle: PromiseWithResolvers<void> | undefined

  constructor(
    reports: AttemptReports,
    issueToken: IssueToken,
    journal: ThreadJournal,
    elsewhere: RefreshesElsewhere,
  ) {
    this.#reports = reports
    this.#verdicts = new Verdicts(reports)
    this.#issueToken = issueToken
    this.#journal = journal
    this.#refreshes = new ToldRefreshes(this.#lanes, elsewhere)
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
    return this.#verdicts.counts
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
      thread: lane.run(order, this.#verdicts.wasHandedBack(jobId)),
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

  onRefresh(thread: HandlerThread, ask: RefreshAsk): Promise<void> {
    return this.#refreshes.heard(thread, ask)
  }

  /** Reusable values were refreshed in another process. */
  refreshed(scope: RefreshScope): void {
    this.#refreshes.tell(scope)
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

  onLeaks(thread: HandlerThread, figures: readonly LeakFigures[], round: number): void {
    this.leaks.note(thread, figures, round)
  }

  /** The names of runs that are tracked for leaks from now on; `anew` those of which nothing counts that was seen before. */
  trackLeaks(names: readonly string[], anew: readonly string[]): void {
    const round = this.leaks.track(names, anew)
    for (const lane of this.#lanes.values()) lane.trackLeaks({ names, anew, round })
  }

  onEnded(thread: HandlerThread, end: ThreadEnd): void {
    this.leaks.ended(thread)
    const before = this.counts.handedBack
    const given = [...thread.attempts].flatMap((key) => this.#attempts.get(key) ?? [])
    const loss = lossBy(thread, end, given, (jobId) => this.#verdicts.timesHandedBack(jobId))
    if (loss.guilty !== undefined) this.#moveApart(loss.guilty.lane, loss.guilty.method)
    for (const running of loss.waiting) {
      if (!this.#move(running)) this.#end(running, loss.ofWaiting)
    }
    for (const [running, of] of loss.begun) this.#end(running, of)
    this.#journal.ended(thread, end, { handedBack: this.counts.handedBack - before })
  }

  #moveApart(lane: Lane, method: string): void {
    if (lane.moveApart(method)) this.#journal.movedApart(method)
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
    running.thread = lane.run(order, this.#verdicts.wasHandedBack(jobId))
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
    this.#verdicts.tell(running, end)
    this.#reports.creditsChanged()
    if (this.#attempts.size === 0) {
      this.#idle?.resolve()
      this.#idle = undefined
    }
  }
}
