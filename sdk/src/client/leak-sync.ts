/**
 * Asks the scheduler what is to be tracked for leaks, and tells it what was found (row E4). What is tracked ends by itself, should the
 * scheduler be out of reach.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { LIMITS } from '@offstage/proto/limits'
import { OffstageError } from '../grpc/mod.ts'
import type { LeakFigures } from '../leaks/leak.ts'

const IDLE_MS = 5_000
const TRACKING_MS = 1_000
/** A scheduler that does not know this, or does not let the caller ask, is not asked much. */
const REFUSED_MS = 60_000
/** Of a namespace as many are tracked at once, and as many are remembered. */
const NAMES_MAX = 2 * LIMITS.leakNamesMax

/** Runs that are tracked, by the method of jobs or the name of a section. */
export interface TrackedRuns {
  readonly name: string
  /** For how much longer, in milliseconds. */
  readonly leftMs: number
  /** Another one once they are tracked anew, and what was found before is forgotten. */
  readonly trackingId: string
}

/** What has been found, and under which tracking; without one it is taken for that of the present one. */
export interface ReportedFigures extends LeakFigures {
  readonly trackingId?: string
}

export interface LeakReports {
  /** Takes what has changed, and tells what to track. */
  report(
    reporter: string,
    figures: readonly ReportedFigures[],
    options: { readonly signal: AbortSignal },
  ): Promise<TrackedRuns[]>
}

export interface LeakSyncOptions {
  readonly calls: LeakReports
  /** What has changed, and what could not be told. */
  readonly found: {
    takeChanged(): LeakFigures[]
    giveBack(figures: readonly LeakFigures[]): void
  }
  /** Told when other names than before are to be tracked, or some of them `anew`: of these nothing counts that was found before. */
  track(names: readonly string[], anew: readonly string[]): void
}

export class LeakSync {
  readonly #options: LeakSyncOptions
  readonly #reporter = randomUUID()
  readonly #ending = new AbortController()
  #names: readonly string[] = []
  /** Under which tracking names are tracked, or were: those that were told last come last. */
  readonly #ids = new Map<string, string>()
  #expiry: NodeJS.Timeout | undefined
  #going: Promise<void> | undefined

  constructor(options: LeakSyncOptions) {
    this.#options = options
  }

  start(): void {
    this.#going ??= this.#go()
  }

  /** Idempotent, and safe before the start. Tells what is known by then, where anything is tracked. */
  async stop(): Promise<void> {
    this.#ending.abort()
    clearTimeout(this.#expiry)
    await this.#going
    this.#track([])
  }

  async #go(): Promise<void> {
    const { signal } = this.#ending
    while (!signal.aborted) {
      const restMs = await this.#sync(signal)
      await pause(restMs, undefined, { signal, ref: false }).catch(() => {})
    }
    if (this.#names.length > 0) await this.#sync(AbortSignal.timeout(TRACKING_MS))
  }

  /** After how long it is to be done again. */
  async #sync(signal: AbortSignal): Promise<number> {
    const { calls, found } = this.#options
    const figures = found.takeChanged()
    try {
      const told = figures.map((each) => ({ ...each, trackingId: this.#ids.get(each.name) ?? '' }))
      const tracked = await calls.report(this.#reporter, told, { signal })
      if (this.#ending.signal.aborted) return 0
      this.#follow(tracked)
      this.#expireIn(Math.max(0, ...tracked.map(({ leftMs }) => leftMs)))
      return tracked.length > 0 ? TRACKING_MS : IDLE_MS
    } catch (error) {
      found.giveBack(figures)
      return error instanceof OffstageError && !error.retryable ? REFUSED_MS : IDLE_MS
    }
  }

  #follow(tracked: readonly TrackedRuns[]): void {
    const anew = tracked.filter(({ name, trackingId }) => this.#ids.get(name) !== trackingId)
    for (const { name, trackingId } of tracked) {
      this.#ids.delete(name)
      this.#ids.set(name, trackingId)
    }
    for (const name of this.#ids.keys()) {
      if (this.#ids.size <= NAMES_MAX) break
      this.#ids.delete(name)
    }
    this.#track(
      tracked.map(({ name }) => name),
      anew.map(({ name }) => name),
    )
  }

  #track(names: readonly string[], anew: readonly string[] = []): void {
    if (anew.length === 0 && names.join('\n') === this.#names.join('\n')) return
    this.#names = names
    this.#options.track(names, anew)
  }

  /** Each sync says anew for how long. */
  #expireIn(ms: number): void {
    clearTimeout(this.#expiry)
    this.#expiry = ms > 0 ? setTimeout(() => this.#track([]), ms).unref() : undefined
  }
}
