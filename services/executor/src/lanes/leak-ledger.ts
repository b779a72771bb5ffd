/**
 * Adds up what the threads of this executor have seen of leaks since it was told to track them: of those that have ended, and of those that
 * run. What a thread says of other names, or saw before they were tracked anew, is passed over: a handler may speak in its place.
 */
import { LIMITS } from '@offstage/proto/limits'
import { type LeakFigures, sumOfFigures, withNothingOpen } from '../domain/leaks.ts'
import type { HandlerThread } from './handler-thread.ts'

/** Names that are remembered: those of a namespace that are tracked at once, and as many of before. */
const NAMES_MAX = 2 * LIMITS.leakNamesMax

export class LeakLedger {
  readonly #past = new Map<string, LeakFigures>()
  readonly #running = new Map<HandlerThread, Map<string, LeakFigures>>()
  /** Names of which something was told since they were taken. */
  readonly #changed = new Set<string>()
  /** Names that are or were tracked, with the order from which on they are counted; those tracked last come last. */
  readonly #since = new Map<string, number>()
  #round = 0

  /** These names are tracked from now on, some of them anew. Returns the number of the order. */
  track(names: readonly string[], anew: readonly string[]): number {
    this.#round += 1
    for (const name of anew) {
      this.#forget(name)
      this.#since.set(name, this.#round)
    }
    const isTracked = new Set(names)
    for (const name of this.#since.keys()) {
      if (this.#since.size <= NAMES_MAX) break
      if (!isTracked.has(name)) this.#forget(name)
    }
    return this.#round
  }

  /** What the thread has seen under this order, all since it tracks the names. */
  note(thread: HandlerThread, all: readonly LeakFigures[], round: number): void {
    const known = this.#running.get(thread) ?? new Map<string, LeakFigures>()
    this.#running.set(thread, known)
    for (const figures of all) {
      const { name } = figures
      const since = this.#since.get(name)
      if (since === undefined || round < since || round > this.#round) continue
      const before = known.get(name)
      // It was told to stop, and then to go on.
      if (before !== undefined && figures.runs < before.runs) this.#close(before)
      known.set(name, figures)
      this.#changed.add(name)
    }
  }

  ended(thread: HandlerThread): void {
    for (const figures of this.#running.get(thread)?.values() ?? []) this.#close(figures)
    this.#running.delete(thread)
  }

  /** What has changed since this was asked the last time. */
  takeChanged(): LeakFigures[] {
    const names = [...this.#changed]
    this.#changed.clear()
    return names.map((name) => this.#of(name))
  }

  /** It could not be told: to be taken again. */
  giveBack(figures: readonly LeakFigures[]): void {
    for (const { name } of figures) this.#changed.add(name)
  }

  get all(): LeakFigures[] {
    const running = [...this.#running.values()].flatMap((known) => [...known.keys()])
    return [...new Set([...this.#past.keys(), ...running])].map((name) => this.#of(name))
  }

  #forget(name: string): void {
    this.#since.delete(name)
    this.#past.delete(name)
    this.#changed.delete(name)
    for (const known of this.#running.values()) known.delete(name)
  }

  #of(name: string): LeakFigures {
    const running = [...this.#running.values()].flatMap((known) => known.get(name) ?? [])
    const past = this.#past.get(name)
    return sumOfFigures(past === undefined ? running : [past, ...running], name)
  }

  #close(figures: LeakFigures): void {
    const { name } = figures
    const past = this.#past.get(name)
    const ended = withNothingOpen(figures)
    this.#past.set(name, past === undefined ? ended : sumOfFigures([past, ended], name))
    this.#changed.add(name)
  }
}
