/**
 * The threads of one lane (row A1). The lanes differ little: in how many attempts a
 * thread runs at once, whether it is used again, and whether it is a process.
 *
 * | lane    | attempts per thread            | used again |
 * |---------|--------------------------------|------------|
 * | inline  | any number                     | yes        |
 * | task    | one that runs                  | yes        |
 * | work    | one that runs                  | no         |
 * | process | one that runs, in a process    | yes        |
 *
 * 1. Threads are started when an attempt needs one; how many attempts there are is the business of
 *    the credits, not of the lane.
 * 2. Of the lanes task and process no more idle threads are kept than they have slots.
 * 3. An attempt that waits for children (row J11) keeps its thread to itself as long as there are few such threads; beyond that another
 *    one runs there meanwhile, so that waiting parents cost memory and no threads. When both go on they take turns at each `await`.
 * 4. Attempts of the inline lane share one thread. Apart from it run the methods a thread had to be
 *    ended for, each on threads of its own, and jobs that were handed back because of such an end:
 *    each end moves a method away, so the common thread is ended no more often than there are
 *    methods, and who was hit once is not in the way of the next.
 */

import type { LaneName } from '@offstage/proto/lanes'
import type { AttemptKey, AttemptOrder } from '../domain/attempt.ts'
import { LaneSlots } from '../domain/lane-slots.ts'
import type { LeakOrder } from '../domain/leaks.ts'
import { HandlerThread, type ThreadListener, type ThreadSettings } from './handler-thread.ts'
import { RestingThreads } from './resting-threads.ts'
import { ThreadPool } from './thread-pool.ts'

/** How long an idle thread may take to end by itself. */
const CLOSE_GRACE_MS = 2_000
/** Threads of a method of its own, and of jobs that were handed back. */
const APART_THREADS_MAX = 8
/** Threads of the inline lane that are left to finish what they are busy with. */
const ASIDE_THREADS_MAX = 8

export class Lane {
  readonly name: LaneName
  readonly slots: LaneSlots
  readonly #settings: ThreadSettings
  readonly #listener: ThreadListener
  readonly #threads = new Set<HandlerThread>()
  /** Of the lanes task and process. */
  readonly #idle: HandlerThread[] = []
  /** Of all lanes but inline. */
  readonly #resting: RestingThreads
  readonly #common = new ThreadPool(1)
  readonly #apart = new Map<string, ThreadPool>()
  readonly #handedBack = new ThreadPool(APART_THREADS_MAX)
  readonly #pools = new Map<HandlerThread, ThreadPool>()
  /** Of what handlers have changed; given nothing more. */
  readonly #retired = new WeakSet<HandlerThread>()
  readonly #closing = new Set<Promise<void>>()
  #leaks: LeakOrder | undefined
  #aside = 0
  #started = 0

  constructor(name: LaneName, slots: number, settings: ThreadSettings, listener: ThreadListener) {
    this.name = name
    this.slots = new LaneSlots(slots)
    this.#resting = new RestingThreads(slots)
    this.#settings = settings
    this.#listener = {
      onReports: (thread, reports) => listener.onReports(thread, reports),
      onUnreadable: (thread) => listener.onUnreadable(thread),
      onRefresh: (thread, ask) => listener.onRefresh(thread, ask),
      onChanged: (thread, change) => {
        this.#retire(thread)
        listener.onChanged(thread, change)
      },
      onBlocked: (thread, block) => listener.onBlocked(thread, block),
      onLeaks: (...told) => listener.onLeaks(...told),
      onEnded: (thread, end) => {
        this.#forget(thread)
        listener.onEnded(thread, end)
      },
    }
  }

  /** Those that have not ended. */
  get threads(): Iterable<HandlerThread> {
    return this.#threads
  }

  /** The methods that run on threads of their own. */
  get methodsApart(): readonly string[] {
    return [...this.#apart.keys()]
  }

  /** What its threads track for leaks from now on. */
  trackLeaks(order: Omit<LeakOrder, 'fromFirstRun'>): void {
    const leaks = { ...order, fromFirstRun: this.name === 'work' }
    this.#leaks = order.names.length > 0 ? leaks : undefined
    for (const thread of this.#threads) if (thread.usable) thread.trackLeaks(leaks)
  }

  /** Starts a thread ahead of the first attempt. */
  warm(): HandlerThread {
    const isShared = this.name === 'inline'
    const thread = this.#spawn(isShared ? this.#common : undefined)
    if (!isShared) this.#idle.push(thread)
    return thread
  }

  /**
   * Gives the attempt to a thread, a new one where none is free.
   *
   * @param wasHandedBack its job was, because a thread had to be ended
   */
  run(order: AttemptOrder, wasHandedBack: boolean): HandlerThread {
    const thread = this.#threadFor(order.method, wasHandedBack)
    thread.run(order)
    if (this.#isShareable(thread)) this.#resting.look(thread)
    return thread
  }

  /** The attempt waits for children; its slot is free for others. */
  park(thread: HandlerThread): void {
    this.slots.park()
    if (this.#isShareable(thread)) this.#resting.wait(thread)
  }

  /** It goes on, with a slot or beyond them. */
  resume(thread: HandlerThread): void {
    this.slots.resume()
    if (this.#isShareable(thread)) this.#resting.goOn(thread)
  }

  /** The attempt is no longer this thread's: it has ended, or moves. */
  release(thread: HandlerThread, key: AttemptKey, parked = false): void {
    thread.release(key)
    if (!thread.usable) return
    if (this.#isShareable(thread)) {
      if (parked) this.#resting.goOn(thread)
      else this.#resting.look(thread)
    }
    if (thread.load > 0) return
    if (this.#retired.has(thread)) this.#close(thread)
    else if (this.name === 'inline') this.#rest(thread)
    else if (this.name !== 'work' && this.#idle.length < this.slots.slots) this.#idle.push(thread)
    else this.#close(thread)
  }

  /** The method does not stop when told to: from now on it runs on threads of its own. True when that is new. */
  moveApart(method: string): boolean {
    if (this.name !== 'inline' || this.#apart.has(method)) return false
    this.#apart.set(method, new ThreadPool(APART_THREADS_MAX))
    return true
  }

  /**
   * Gives nothing more to a thread that does not take up what it is given; what runs there goes on.
   * False where too many are busy already.
   */
  setAside(thread: HandlerThread): boolean {
    const pool = this.#pools.get(thread)
    if (pool === undefined) return true
    if (this.#aside >= ASIDE_THREADS_MAX) return false
    pool.delete(thread)
    this.#pools.delete(thread)
    this.#aside += 1
    return true
  }

  /** Ends all threads, by force where they still run something. */
  async stop(): Promise<void> {
    const ends = [...this.#threads].map((thread) =>
      thread.load === 0 ? thread.close(CLOSE_GRACE_MS) : thread.terminate(),
    )
    await Promise.all([...ends, ...this.#closing])
  }

  #threadFor(method: string, wasHandedBack: boolean): HandlerThread {
    if (this.name !== 'inline') {
      return this.#idle.pop() ?? this.#resting.pick() ?? this.#spawn(undefined)
    }
    const pool = wasHandedBack ? this.#handedBack : (this.#apart.get(method) ?? this.#common)
    return pool.pick() ?? this.#spawn(pool)
  }

  #isShareable(thread: HandlerThread): boolean {
    return this.name !== 'inline' && thread.usable && !this.#retired.has(thread)
  }

  /** What runs there goes on. Where too many do already, so does what comes. */
  #retire(thread: HandlerThread): void {
    if (!thread.usable || !this.setAside(thread)) return
    const retired = [...this.#threads].filter((each) => this.#retired.has(each)).length
    if (this.name !== 'inline' && retired >= this.#resting.max) return
    this.#retired.add(thread)
    this.#resting.forget(thread)
    const at = this.#idle.indexOf(thread)
    if (at >= 0) this.#idle.splice(at, 1)
    if (thread.load === 0) this.#close(thread)
  }

  /** An inline thread runs nothing at the moment. */
  #rest(thread: HandlerThread): void {
    const pool = this.#pools.get(thread)
    if (pool === undefined || pool.hasSpare(thread)) this.#close(thread)
  }

  #spawn(pool: ThreadPool | undefined): HandlerThread {
    this.#started += 1
    const name = `${this.name} ${this.#started}`
    const leaks = this.#leaks && { leaks: this.#leaks }
    const thread = new HandlerThread({ ...this.#settings, name, ...leaks }, this.#listener)
    this.#threads.add(thread)
    if (pool !== undefined) {
      pool.add(thread)
      this.#pools.set(thread, pool)
    }
    return thread
  }

  #close(thread: HandlerThread): void {
    const closed = thread.close(CLOSE_GRACE_MS)
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed))
  }

  #forget(thread: HandlerThread): void {
    this.#threads.delete(thread)
    this.#resting.forget(thread)
    const at = this.#idle.indexOf(thread)
    if (at >= 0) this.#idle.splice(at, 1)
    const pool = this.#pools.get(thread)
    this.#pools.delete(thread)
    if (pool !== undefined) pool.delete(thread)
    else if (this.name === 'inline') this.#aside -= 1
  }
}
