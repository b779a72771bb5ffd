/** Adds up what the threads of this executor have seen of leaks since it began: of those that have ended, and of those that run. */
import { type LeakFigures, sumOfFigures, withNothingOpen } from '../domain/leaks.ts'
import type { HandlerThread } from './handler-thread.ts'

export class LeakLedger {
  readonly #past = new Map<string, LeakFigures>()
  readonly #running = new Map<HandlerThread, Map<string, LeakFigures>>()
  /** Names of which something was told since they were taken. */
  readonly #changed = new Set<string>()

  /** What the thread has seen since it tracks the names. */
  note(thread: HandlerThread, all: readonly LeakFigures[]): void {
    const known = this.#running.get(thread) ?? new Map<string, LeakFigures>()
    this.#running.set(thread, known)
    for (const figures of all) {
      const before = known.get(figures.name)
      // It was told to stop, and then to begin anew.
      if (before !== undefined && figures.runs < before.runs) this.#close(before)
      known.set(figures.name, figures)
      this.#changed.add(figures.name)
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
