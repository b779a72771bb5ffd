/**
 * Who waits for locks on this replica.
 *
 * Invariants:
 *  1. A wait holds no connection: it is told when it is worth another try, and by whom that was is not relied on. Hints and the ends of
 *     holders' jobs make it quick, the sweep makes it sure (guarantee 4).
 *  2. Of any number of waits one statement finds out which those are.
 *  3. What was given back between a try and the wait after it is not missed: that wait is looked at right away (guarantee 5).
 *  4. A circle that others have closed since is found by the sweep.
 */
import type { LockConflict, LockRequest } from '../domain/lock.ts'
import type { WaitLink } from '../domain/wait-circle.ts'
import type { LockStore } from '../ports/locks.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { tooManyLockWaits, tooManyLockWaitsOfCaller } from './refusals.ts'

const WAITS_MAX = 10_000
/** Of one user, so that nobody takes all the places. */
const USER_WAITS_MAX = 2_500
/** How often it is said that they still wait, and whether a circle has been closed since. */
const KEEP_MS = 1_500
const CIRCLES_MAX = 100
/** Then it is said again first that all still wait. */
const CIRCLES_MS_MAX = 1_000

export interface LineWait {
  readonly request: LockRequest
  readonly place: number
  readonly conflict: LockConflict
  /** As it was before the try that found the conflict. */
  readonly moment: number
}

export type LineEnd =
  | { readonly kind: 'turn' }
  | { readonly kind: 'time' }
  | { readonly kind: 'circle'; readonly circle: readonly WaitLink[] }

interface Entry {
  readonly request: LockRequest
  readonly end: (end: LineEnd) => void
}

export interface LockLineOptions {
  readonly store: Pick<LockStore, 'keepPlaces' | 'readWaits' | 'readAwaited' | 'breakCircle'>
  readonly feed: Pick<JobFeed, 'listen'>
  readonly waitsMax?: number
  readonly userWaitsMax?: number
  /** Looked at for circles in one sweep. Default 100. */
  readonly circlesMax?: number
}

export class LockLine {
  readonly #options: LockLineOptions
  readonly #entries = new Map<number, Entry>()
  /** How many calls of each user may be waiting. */
  readonly #callsOf = new Map<string, number>()
  #calls = 0
  #moment = 0
  #keptMs = Number.NEGATIVE_INFINITY
  /** The last place that was looked at for a circle. */
  #lookedAt = 0
  #wake: () => void = () => {}

  constructor(options: LockLineOptions) {
    this.#options = options
  }

  /** Grows with whatever may let somebody have a lock. */
  get moment(): number {
    return this.#moment
  }

  /** How many wait. */
  get size(): number {
    return this.#entries.size
  }

  /** Has the sweep asked for at once. */
  readonly onHint = (wake: () => void): void => {
    this.#wake = wake
  }

  /** Something may have been given back. */
  readonly changed = (): void => {
    this.#moment += 1
    if (this.#entries.size > 0) this.#wake()
  }

  /** For a call that may wait, until that is disposed. */
  makeRoom(user: string): Disposable {
    const { waitsMax = WAITS_MAX, userWaitsMax = USER_WAITS_MAX } = this.#options
    if (this.#calls >= waitsMax) throw tooManyLockWaits(waitsMax)
    const count = this.#callsOf.get(user) ?? 0
    if (count >= userWaitsMax) throw tooManyLockWaitsOfCaller(userWaitsMax)
    this.#calls += 1
    this.#callsOf.set(user, count + 1)
    return { [Symbol.dispose]: () => this.#leave(user) }
  }

  #leave(user: string): void {
    this.#calls -= 1
    const left = (this.#callsOf.get(user) ?? 1) - 1
    if (left === 0) this.#callsOf.delete(user)
    else this.#callsOf.set(user, left)
  }

  /** Until it is worth another try; rejects with the reason of the signal. */
  async wait(
    { request, place, conflict, moment }: LineWait,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<LineEnd> {
    signal.throwIfAborted()
    const ended = Promise.withResolvers<LineEnd>()
    const leave = this.#hearOf(request, conflict)
    const onAbort = () => ended.reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    const timer = setTimeout(() => ended.resolve({ kind: 'time' }), timeoutMs)
    this.#entries.set(place, { request, end: ended.resolve })
    try {
      if (moment !== this.#moment) this.#wake()
      return await ended.promise
    } finally {
      this.#entries.delete(place)
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      leave()
    }
  }

  /** One that waits, too, is heard of when it has got what it waits for, and given it back. */
  #hearOf({ namespace, owner }: LockRequest, { isWaiting, holder }: LockConflict): () => void {
    if (isWaiting || holder.kind !== 'job') return () => {}
    const listener = {
      hint: (hint: string) => {
        if (hint === 'state') this.changed()
      },
      found: () => {},
    }
    const terms = { elsewhere: true, caller: owner }
    return this.#options.feed.listen(namespace, holder.jobId, listener, terms)
  }

  /** The sweep. */
  readonly run = async (): Promise<void> => {
    if (this.#entries.size === 0) return
    const places = [...this.#entries.keys()]
    const isDue = performance.now() - this.#keptMs >= KEEP_MS
    if (isDue) {
      this.#keptMs = performance.now()
      await this.#options.store.keepPlaces(places)
    }
    const waits = new Map(
      (await this.#options.store.readWaits(places)).map((wait) => [wait.place, wait]),
    )
    // One that is not there any more takes its place anew.
    for (const place of places) {
      if (waits.get(place)?.isReady ?? true) this.#entries.get(place)?.end({ kind: 'turn' })
    }
    if (isDue) await this.#breakCircles(await this.#options.store.readAwaited(places))
  }

  /** In turn, where they are too many for one sweep. In order of the places. */
  async #breakCircles(places: readonly number[]): Promise<void> {
    const { circlesMax = CIRCLES_MAX, store } = this.#options
    const after = places.filter((place) => place > this.#lookedAt)
    const before = places.slice(0, places.length - after.length)
    const untilMs = performance.now() + CIRCLES_MS_MAX
    for (const place of [...after, ...before].slice(0, circlesMax)) {
      if (performance.now() > untilMs) return
      this.#lookedAt = place
      const entry = this.#entries.get(place)
      if (entry === undefined) continue
      const circle = await store.breakCircle(entry.request, place)
      if (circle !== undefined) entry.end({ kind: 'circle', circle })
    }
  }
}
