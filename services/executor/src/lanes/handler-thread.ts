/**
 * One thread, or process in its place, that loads the job modules once and runs attempts: the only place where user code runs. The main
 * thread keeps gRPC and supervision, so nothing a handler does can hold up a heartbeat or a cancel.
 *
 * 1. Orders are gathered and sent as one message per turn of the event loop.
 * 2. Whatever the thread said before it ended is delivered before `onEnded`, once.
 * 3. After `onEnded` the thread is silent.
 * 4. What it says is believed only as far as it can be read (`read-message.ts`).
 */

import type {
  AttemptKey,
  AttemptOrder,
  Culprit,
  GlobalsChange,
  LoopBlock,
  LostReason,
} from '../domain/attempt.ts'
import type { LeakFigures, LeakOrder } from '../domain/leaks.ts'
import type { Announcement } from '../domain/method.ts'
import type { Claim } from './claims.ts'
import { rowFromOrder } from './order-row.ts'
import { ProcessHost, type ProcessSettings } from './process-host.ts'
import { readMessage } from './read-message.ts'
import { RefreshLine } from './refresh-line.ts'
import type { HeldMemory, HostExit, RunnerHost } from './runner-host.ts'
import { ThreadHost } from './thread-host.ts'
import type {
  RefreshAnswer,
  RefreshAsk,
  StopOrder,
  ThreadOptions,
  ThreadOrders,
  ThreadReports,
  TokenAnswer,
} from './thread-messages.ts'

/** How a thread came to its end. */
export type ThreadEnd =
  /** By us; what is stuck goes on in a call that does not return, and runs nothing after it. */
  | { readonly kind: 'terminated'; readonly isStuck?: boolean }
  /** By itself: an uncaught error, a process.exit, memory. */
  | {
      readonly kind: 'lost'
      /** Which of them. */
      readonly detail: string
      readonly reason: LostReason
      /** By what its code threw, told in the detail. */
      readonly thrown: boolean
      /** Whose code it was, where that is known. */
      readonly culprit: Culprit | undefined
    }

export interface ThreadSettings extends ThreadOptions {
  /** Names the thread for debuggers and in the log. */
  readonly name: string
  /**
   * Limit of the thread's heap; absent: that of Node. Over it the thread ends, or, where V8 cannot
   * stop it in time, the process: then the scheduler counts a crash.
   */
  readonly heapBytesMax?: number
  /** It is to be a process of its own. */
  readonly process?: ProcessSettings
}

export interface ThreadListener {
  onReports(thread: HandlerThread, reports: ThreadReports): void
  /** It said what no handler thread of ours says, which was passed over. */
  onUnreadable(thread: HandlerThread): void
  /** Handlers changed what its code shares: it is to be given nothing more. */
  onChanged(thread: HandlerThread, change: GlobalsChange): void
  /** Its code has refreshed reusable values. */
  onRefresh(thread: HandlerThread, ask: RefreshAsk): void
  /** Its event loop stood still, and all that ran there waited. */
  onBlocked(thread: HandlerThread, block: LoopBlock): void
  /** What its attempts have left behind. */
  /** `round`: of the order under which they were seen. */
  onLeaks(thread: HandlerThread, figures: readonly LeakFigures[], round: number): void
  onEnded(thread: HandlerThread, end: ThreadEnd): void
}

type Gathered = Omit<ThreadOrders, 'close'>

export class HandlerThread {
  readonly name: string
  /** What its modules define; rejects when they cannot be loaded or the thread ends before. */
  readonly ready: Promise<Announcement>
  readonly #host: RunnerHost
  readonly #claims: RunnerHost['claims']
  readonly #attempts = new Map<AttemptKey, Claim>()
  /** Reusable values it is to drop. */
  readonly refreshes = new RefreshLine((refreshes) => this.#post({ ...nothingSaid(), refreshes }))
  readonly #ready = Promise.withResolvers<Announcement>()
  readonly #exited = Promise.withResolvers<void>()
  #orders: Gathered | undefined
  #posted = 0
  #postedBeforeLook = 0
  #lags = 0
  #loaded = false
  #wrapping: ReadonlySet<string> = new Set()
  #fault: HostExit | undefined
  #culprit: Culprit | undefined
  #ending = false

  constructor(settings: ThreadSettings, listener: ThreadListener) {
    const { name, heapBytesMax, process, ...options } = settings
    this.name = name
    this.ready = this.#ready.promise
    this.ready.catch(() => {
      // Told to the lane by onEnded as well; only the first thread of an executor is waited for.
    })
    const heard = {
      onMessage: (message: unknown) => this.#hear(message, listener),
      onExit: (exit: HostExit) => this.#end(exit, listener),
    }
    this.#host =
      process === undefined
        ? new ThreadHost({ name, heapBytesMax, options }, heard)
        : new ProcessHost({ ...process, options }, heard)
    this.#claims = this.#host.claims
  }

  /** False once the thread is to end: give it nothing more. */
  get usable(): boolean {
    return !this.#ending
  }

  /** Whether what jobs of the method say is for those alone who have the wrappers of its codec. */
  wraps(method: string): boolean {
    return this.#wrapping.has(method)
  }

  /** The attempts it was given that have not ended. */
  get attempts(): Iterable<AttemptKey> {
    return this.#attempts.keys()
  }

  /** How many those are. */
  get load(): number {
    return this.#attempts.size
  }

  run(order: AttemptOrder): void {
    const claim = this.#claims.give()
    this.#attempts.set(order.key, claim)
    this.#gather().attempts.push(rowFromOrder(order, claim))
  }

  stop(order: StopOrder): void {
    this.#gather().stops.push(order)
  }

  answer(answer: TokenAnswer): void {
    this.#gather().tokens.push(answer)
  }

  trackLeaks(leaks: LeakOrder): void {
    this.#post({ ...nothingSaid(), leaks })
  }

  /** After all that was refreshed before. */
  answerRefresh(answer: RefreshAnswer): void {
    const refreshes = this.refreshes.take()
    const told = refreshes.length > 0 && { refreshes }
    this.#post({ ...nothingSaid(), ...told, refreshAnswers: [answer] })
  }

  /** Takes back an attempt whose handler was not called yet, and never will be here; false when it was. */
  withdraw(key: AttemptKey): boolean {
    const claim = this.#attempts.get(key)
    return claim !== undefined && this.#claims.withdraw(claim)
  }

  hasBegun(key: AttemptKey): boolean {
    const claim = this.#attempts.get(key)
    return claim !== undefined && this.#claims.hasBegun(claim)
  }

  /** The attempt whose handler computes without a break since its call; undefined when there is none. */
  get calling(): AttemptKey | undefined {
    for (const [key, claim] of this.#attempts) if (this.#claims.isCalling(claim)) return key
    return undefined
  }

  /** The attempt is no longer this thread's. */
  release(key: AttemptKey): void {
    const claim = this.#attempts.get(key)
    if (claim === undefined) return
    this.#attempts.delete(key)
    this.#claims.release(claim)
  }

  /** How often in a row, when this was asked, it had not taken up what it had been sent before this was asked the last time. */
  lags(): number {
    const isBehind = this.#loaded && this.#claims.taken < this.#postedBeforeLook
    this.#postedBeforeLook = this.#posted
    this.#lags = isBehind ? this.#lags + 1 : 0
    return this.#lags
  }

  /** Sends it nothing but something to take up: what it has taken up may not have begun, and never will where it blocks now. */
  probe(): void {
    this.#post(nothingSaid())
  }

  /** What it holds, and may hold; undefined where it does not say, or was asked and has not answered. */
  async memory(): Promise<HeldMemory | undefined> {
    return this.#ending ? undefined : this.#host.memory()
  }

  /** Ends it as one that is to blame for its end. */
  endFor(detail: string): void {
    if (this.#ending) return
    this.#fault = { detail, reason: 'OUT_OF_MEMORY', thrown: false }
    void this.terminate()
  }

  /** Ends the thread whatever it is doing, busy loops included. */
  async terminate(): Promise<void> {
    this.#ending = true
    this.#host.kill()
    await this.#exited.promise
  }

  /** Lets an idle thread end by itself, by force after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (!this.#ending) {
      this.#ending = true
      this.#post({ ...nothingSaid(), close: true })
    }
    const timer = setTimeout(() => this.#host.kill(), graceMs)
    await this.#exited.promise
    clearTimeout(timer)
  }

  #gather(): Gathered {
    if (this.#orders === undefined) {
      const orders = nothingSaid()
      this.#orders = orders
      queueMicrotask(() => {
        this.#orders = undefined
        this.#post(orders)
      })
    }
    return this.#orders
  }

  #post(orders: ThreadOrders): void {
    this.#posted += 1
    this.#host.post(orders)
  }

  #hear(heard: unknown, listener: ThreadListener): void {
    const { message, isWhole } = readMessage(heard)
    if (!isWhole) listener.onUnreadable(this)
    switch (message?.kind) {
      case 'ready':
        this.#loaded = true
        this.#wrapping = namesOfWrapping(message)
        this.#ready.resolve(message)
        break
      case 'unusable':
        this.#ending = true
        this.#fault = { detail: message.detail, reason: 'EXECUTOR_THREAD_LOST', thrown: true }
        break
      case 'exiting':
        this.#culprit = message.culprit
        break
      case 'changed':
        listener.onChanged(this, message.change)
        break
      case 'blocked':
        listener.onBlocked(this, message.block)
        break
      case 'leaks':
        listener.onLeaks(this, message.figures, message.round)
        break
      case 'reports':
        listener.onReports(this, message.reports)
        break
      case 'refreshed':
        this.refreshes.taken()
        break
      case 'refresh':
        listener.onRefresh(this, message.ask)
        break
    }
  }

  #end(exit: HostExit, listener: ThreadListener): void {
    const asked = this.#ending && this.#fault === undefined
    this.#ending = true
    const lost = this.#fault ?? exit
    this.#ready.reject(new Error(lost.detail))
    this.#exited.resolve()
    const { isStuck = false, ...told } = lost
    const end = { kind: 'lost', ...told, culprit: this.#culprit } as const
    listener.onEnded(this, asked ? { kind: 'terminated', isStuck } : end)
  }
}

function namesOfWrapping({ methods }: Announcement): ReadonlySet<string> {
  return new Set(methods.filter(({ wrapsReports }) => wrapsReports).map(({ name }) => name))
}

function nothingSaid(): Gathered {
  return { attempts: [], stops: [], tokens: [] }
}
