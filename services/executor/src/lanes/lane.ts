/**
 * The threads of one lane (row A1). The three lanes differ in two numbers only: how many attempts a
 * thread runs at once, and whether it is used again.
 *
 * | lane   | attempts per thread | used again |
 * |--------|---------------------|------------|
 * | inline | any number          | yes        |
 * | task   | one                 | yes        |
 * | work   | one                 | no         |
 *
 * 1. Threads are started when an attempt needs one; how many attempts there are is the business of
 *    the credits, not of the lane.
 * 2. Of the task lane no more idle threads are kept than it has slots.
 */

import type { AttemptKey, AttemptOrder, LaneName } from '../domain/attempt.ts'
import { LaneSlots } from '../domain/lane-slots.ts'
import { HandlerThread, type ThreadListener, type ThreadSettings } from './handler-thread.ts'

/** How long an idle thread may take to end by itself. */
const CLOSE_GRACE_MS = 2_000

export class Lane {
  readonly name: LaneName
  readonly slots: LaneSlots
  readonly #settings: ThreadSettings
  readonly #listener: ThreadListener
  readonly #threads = new Set<HandlerThread>()
  readonly #idle: HandlerThread[] = []
  readonly #closing = new Set<Promise<void>>()
  #started = 0

  constructor(name: LaneName, slots: number, settings: ThreadSettings, listener: ThreadListener) {
    this.name = name
    this.slots = new LaneSlots(slots)
    this.#settings = settings
    this.#listener = {
      onReports: (thread, reports) => listener.onReports(thread, reports),
      onEnded: (thread, end) => {
        this.#forget(thread)
        listener.onEnded(thread, end)
      },
    }
  }

  /** Starts a thread ahead of the first attempt. */
  warm(): HandlerThread {
    const thread = this.#spawn()
    if (this.name !== 'inline') this.#idle.push(thread)
    return thread
  }

  /** Gives the attempt to a thread, a new one where none is free. */
  run(order: AttemptOrder): HandlerThread {
    const thread = this.#free() ?? this.#spawn()
    thread.attempts.add(order.key)
    thread.run(order)
    return thread
  }

  /** The attempt has ended on this thread. */
  release(thread: HandlerThread, key: AttemptKey): void {
    thread.attempts.delete(key)
    if (!thread.usable || this.name === 'inline') return
    const keep = this.name === 'task' && this.#idle.length < this.slots.slots
    if (keep) this.#idle.push(thread)
    else this.#close(thread)
  }

  /** Ends all threads, by force where they still run something. */
  async stop(): Promise<void> {
    const ends = [...this.#threads].map((thread) =>
      thread.attempts.size === 0 ? thread.close(CLOSE_GRACE_MS) : thread.terminate(),
    )
    await Promise.all([...ends, ...this.#closing])
  }

  #free(): HandlerThread | undefined {
    if (this.name !== 'inline') return this.#idle.pop()
    return this.#idle.find((thread) => thread.usable)
  }

  #spawn(): HandlerThread {
    this.#started += 1
    const name = `${this.name} ${this.#started}`
    const thread = new HandlerThread({ ...this.#settings, name }, this.#listener)
    this.#threads.add(thread)
    if (this.name === 'inline') this.#idle.push(thread)
    return thread
  }

  #close(thread: HandlerThread): void {
    const closed = thread.close(CLOSE_GRACE_MS)
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed))
  }

  #forget(thread: HandlerThread): void {
    this.#threads.delete(thread)
    const at = this.#idle.indexOf(thread)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
