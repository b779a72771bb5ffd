import type { Logger } from '@offstage/kit/telemetry'
import { LIMITS } from '@offstage/proto/limits'
import type { GlobalsChange, LeftOpenNote, LoopBlock } from '../domain/attempt.ts'
import { placeOf } from '../domain/place-of.ts'
import type { HandlerThread, ThreadEnd } from './handler-thread.ts'
import type { RunningAttempt } from './running-attempt.ts'

const BLOCKED_TEXT_PAUSE_MS = 10_000

/** What became of handler threads since the start. */
export interface ThreadCounts {
  /** Ended by themselves: an uncaught error, process.exit, memory. */
  readonly lost: number
  /** Ended by us while they were given something: handlers that did not stop, threads that heard nothing. */
  readonly endedByForce: number
  /** Given nothing more, because they compute and others wait. */
  readonly passedBy: number
  /** Attempts given to another thread because theirs did not begin them. */
  readonly attemptsMoved: number
  /** For how many milliseconds event loops of the inline lane stood still, by the methods whose code ran meanwhile. */
  readonly blockedMs: ReadonlyMap<string, number>
}

/** Writes down how handler threads end and why, in the log and in numbers. */
export class ThreadJournal {
  readonly #log: Logger
  readonly #counts = { lost: 0, endedByForce: 0, passedBy: 0, attemptsMoved: 0 }
  readonly #blockedMs = new Map<string, number>()
  #blockedTextAt = Number.NEGATIVE_INFINITY
  #blocksUntold = 0
  readonly #unreadable = new WeakSet<HandlerThread>()

  constructor(log: Logger) {
    this.#log = log
  }

  get counts(): ThreadCounts {
    return { ...this.#counts, blockedMs: this.#blockedMs }
  }

  /** A handler did not stop within the grace. */
  deaf(
    { name }: HandlerThread,
    { method, jobId }: { readonly method: string; readonly jobId: string },
  ): void {
    this.#counts.endedByForce += 1
    this.#log.warn(
      { thread: name, method, job: jobId },
      'a handler does not stop; ending its thread',
    )
  }

  movedApart(method: string): void {
    this.#log.warn({ method }, 'the method runs on threads of its own from now on')
  }

  /** A thread does not take up what it is given. */
  passedBy(
    { name }: HandlerThread,
    { waiting, isBusy }: { readonly waiting: number; readonly isBusy: boolean },
  ): void {
    const about = { thread: name, waiting }
    if (isBusy) {
      this.#counts.passedBy += 1
      this.#log.warn(about, 'a handler keeps its thread busy; what waits for it moves to another')
    } else {
      this.#counts.endedByForce += 1
      this.#log.warn(about, 'a thread that runs nothing takes up nothing; ending it')
    }
  }

  moved(attempts: number): void {
    this.#counts.attemptsMoved += attempts
  }

  ended({ name }: HandlerThread, end: ThreadEnd, ended: { handedBack: number }): void {
    const by = end.kind === 'lost' ? { method: end.culprit?.method } : {}
    const about = { thread: name, ...by, ...ended }
    if (end.kind === 'lost') {
      this.#counts.lost += 1
      const detail = end.thrown ? placeOf(end.detail) : end.detail
      this.#log.warn({ ...about, detail }, 'a handler thread ended by itself')
    } else if (end.isStuck) {
      this.#log.warn(
        about,
        'a handler thread is in a call that does not return, such as execSync; given up, it ends with that call',
      )
    } else if (ended.handedBack > 0) this.#log.warn(about, 'a handler thread was ended')
    else this.#log.debug(about, 'a handler thread ended')
  }

  /** A handler did not close what it had opened; the end of its run did. */
  leftOpen({ method, jobId, attempt }: RunningAttempt, notes: readonly LeftOpenNote[]): void {
    this.#log.warn(
      { method, job: jobId, attempt, leftOpen: notes },
      'a handler left something open, which was closed at the end of its run',
    )
  }

  /** Such handlers do it often: the log has one line of them in a while, the numbers have all. */
  blocked({ name }: HandlerThread, { ms, methods }: LoopBlock): void {
    for (const method of methods) {
      const before = this.#blockedMs.get(method)
      if (before === undefined && this.#blockedMs.size >= LIMITS.methodsMax) continue
      this.#blockedMs.set(method, (before ?? 0) + ms)
    }
    const at = performance.now()
    if (at - this.#blockedTextAt < BLOCKED_TEXT_PAUSE_MS) {
      this.#blocksUntold += 1
      return
    }
    const about = { thread: name, methods, blockedMs: ms, untold: this.#blocksUntold }
    this.#blockedTextAt = at
    this.#blocksUntold = 0
    this.#log.warn(
      about,
      'a handler blocked the event loop of the inline lane; others waited for it',
    )
  }

  /** It is given nothing more. */
  changed({ name }: HandlerThread, { what, methods }: GlobalsChange): void {
    this.#log.warn(
      { thread: name, methods, changed: what },
      'a handler changed what all code of its thread shares; the thread is given nothing more',
    )
  }

  /** Told once for each thread: a handler that does this does it often. */
  unreadable(thread: HandlerThread): void {
    if (this.#unreadable.has(thread)) return
    this.#unreadable.add(thread)
    this.#log.warn({ thread: thread.name }, 'a handler thread said what cannot be read; left out')
  }
}
