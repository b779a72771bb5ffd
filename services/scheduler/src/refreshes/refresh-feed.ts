/**
 * Who watches the refreshes of which namespace on this replica, and how they are told.
 *
 * Invariants:
 *  1. Subscribe, read, wait: a watch is in the feed before its first read, so what is refreshed after that is told (guarantee 5).
 *  2. A hint has the epochs compared at once, the sweep each period: a hint that is lost costs that much (guarantee 4).
 *  3. One statement compares the epochs of all namespaces that are watched, and there is a pause after each that found something:
 *     however much is refreshed, a watch is told at most 50 times a second, of each scope once.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { mergeNews, type RefreshNews } from '../domain/value-refresh.ts'
import type { RefreshStore } from '../ports/refreshes.ts'

const PAUSE_MS = 20
/** A watch that has been told nothing for so long is told the epoch: it stands so in the database. */
const BEAT_MS = 4_000

interface Watched {
  /** Undefined before the first read of its first watch. */
  epoch: number | undefined
  readonly watches: Set<RefreshWatch>
}

type Reads = Pick<RefreshStore, 'read'>

export class RefreshFeed {
  readonly #sweeps: Reads
  readonly #namespaces = new Map<string, Watched>()
  #wake: () => void = () => {}
  #isHinted = false
  #healed = 0

  /** @param sweeps by which epochs are compared */
  constructor(sweeps: Reads) {
    this.#sweeps = sweeps
  }

  /** How many watches there are. */
  get size(): number {
    let size = 0
    for (const { watches } of this.#namespaces.values()) size += watches.size
    return size
  }

  /** How often the sweep found refreshes of a namespace that no hint had told of. */
  get healed(): number {
    return this.#healed
  }

  readonly onHint = (wake: () => void): void => {
    this.#wake = wake
  }

  /** Something was refreshed in the namespace, here or elsewhere. */
  readonly changed = (namespace: string): void => {
    if (this.#namespaces.has(namespace)) this.#compareSoon()
  }

  /** What was refreshed after the epoch at once, then what is refreshed. Ends with the reason of the signal. */
  async *watch(
    reads: Reads,
    namespace: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<RefreshNews, void, undefined> {
    using watch = this.#enter(namespace, after)
    const found = await reads.read([{ namespace, epoch: after }])
    const first = found.get(namespace) ?? { epoch: after, ...NOTHING }
    const watched = this.#namespaces.get(namespace)
    if (watched !== undefined && watched.epoch === undefined) {
      watched.epoch = first.epoch
      // What was refreshed since that read had nobody to be compared for.
      this.#compareSoon()
    }
    watch.epoch = first.epoch
    yield first
    for (;;) yield await watch.next(signal)
  }

  #enter(namespace: string, after: number): RefreshWatch {
    const watched = this.#namespaces.get(namespace) ?? { epoch: undefined, watches: new Set() }
    const watch = new RefreshWatch(after, () => {
      watched.watches.delete(watch)
      if (watched.watches.size === 0) this.#namespaces.delete(namespace)
    })
    watched.watches.add(watch)
    this.#namespaces.set(namespace, watched)
    return watch
  }

  #compareSoon(): void {
    this.#isHinted = true
    this.#wake()
  }

  /** The sweep. */
  readonly run = async (signal: AbortSignal): Promise<void> => {
    const wasHinted = this.#isHinted
    this.#isHinted = false
    const compared = [...this.#namespaces].flatMap(([namespace, watched]) =>
      watched.epoch === undefined ? [] : [{ namespace, epoch: watched.epoch, watched }],
    )
    if (compared.length === 0) return
    const found = await this.#sweeps.read(
      compared.map(({ namespace, epoch }) => ({ namespace, epoch })),
    )
    for (const { namespace, watched } of compared) {
      const news = found.get(namespace)
      if (news !== undefined) {
        watched.epoch = news.epoch
        if (!wasHinted) this.#healed += 1
      }
      for (const watch of watched.watches) {
        if (news === undefined) watch.beat()
        else watch.tell(news)
      }
    }
    if (found.size > 0) await pause(PAUSE_MS, undefined, { signal, ref: false }).catch(() => {})
  }
}

const NOTHING = { all: false, refreshes: [] } as const

/** One who is told. */
class RefreshWatch implements Disposable {
  /** Up to which it knows all. */
  epoch: number
  readonly #leave: () => void
  #pending: RefreshNews | undefined
  #toldMs = performance.now()
  #wake: () => void = () => {}

  constructor(epoch: number, leave: () => void) {
    this.epoch = epoch
    this.#leave = leave
  }

  tell(news: RefreshNews): void {
    this.#pending = this.#pending === undefined ? news : mergeNews(this.#pending, news)
    this.#wake()
  }

  /** Nothing was refreshed. */
  beat(): void {
    if (this.#pending !== undefined || performance.now() - this.#toldMs < BEAT_MS) return
    this.tell({ epoch: this.epoch, ...NOTHING })
  }

  /** What is to be told next, beyond what it knows. */
  async next(signal: AbortSignal): Promise<RefreshNews> {
    for (;;) {
      while (this.#pending === undefined) await this.#told(signal)
      const { epoch, all, refreshes } = this.#pending
      this.#pending = undefined
      const known = this.epoch
      // What was found for all may begin before what this one read for itself.
      const isKnown = epoch === known && (all || refreshes.length > 0)
      if (isKnown) continue
      this.epoch = epoch
      this.#toldMs = performance.now()
      return { epoch, all, refreshes: refreshes.filter((each) => each.epoch > known) }
    }
  }

  #told(signal: AbortSignal): Promise<void> {
    const told = Promise.withResolvers<void>()
    const onAbort = () => told.reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#wake = told.resolve
    return told.promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  [Symbol.dispose](): void {
    this.#leave()
  }
}
