/**
 * Notices that the event loop of the inline lane stood still: a handler computed, or called something that does not return at once, and
 * its neighbours waited. A timer that comes late by more than the limit tells how long; what ran meanwhile is who may have done it.
 *
 * It costs a timer while handlers run, and nothing while none does.
 */
// As in reporter.ts.
import { clearInterval, setInterval } from 'node:timers'
import type { LoopBlock } from '../domain/attempt.ts'
import { now } from './own-copies.ts'

const TICK_MS = 100
/** Named in the log. */
const METHODS_MAX = 20

export class BlockWatch {
  readonly #limitMs: number
  readonly #running: () => readonly string[]
  readonly #tell: (block: LoopBlock) => void
  #timer: NodeJS.Timeout | undefined
  #dueAt = 0
  #methods: string[] = []

  /** @param running methods whose handlers have not ended */
  constructor(limitMs: number, running: () => readonly string[], tell: (block: LoopBlock) => void) {
    this.#limitMs = limitMs
    this.#running = running
    this.#tell = tell
  }

  /** A handler of this method is called. */
  ran(method: string): void {
    this.#add(method)
    if (this.#timer !== undefined) return
    this.#dueAt = now() + TICK_MS
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
  }

  #add(method: string): void {
    const count = this.#methods.length
    for (let at = 0; at < count; at += 1) if (this.#methods[at] === method) return
    if (count < METHODS_MAX) this.#methods[count] = method
  }

  #tick(): void {
    const at = now()
    const ms = Math.round(at - this.#dueAt)
    this.#dueAt = at + TICK_MS
    const running = this.#running()
    if (ms >= this.#limitMs) {
      // By index: how lists are walked is for handlers to change.
      for (let at = 0; at < running.length; at += 1) this.#add(running[at] as string)
      this.#tell({ ms, methods: this.#methods })
    }
    this.#methods = []
    if (running.length > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
