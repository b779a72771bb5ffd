/**
 * Follows what the runs of this thread leave behind, while anybody tracks them.
 *
 * 1. Where nobody does, nothing is hooked and nothing replaced: a run looks at one variable, and that is all.
 * 2. What is made belongs to the run whose code has made it, however many overlap: the context of asynchronous calls says which.
 * 3. Whatever fails in looking changes nothing of what is looked at.
 * 4. It holds nothing of what it follows: whether something is open is asked of it by a weak reference.
 */
import { type Run, watchRuns } from '../runs/mod.ts'
import { Descriptors } from './descriptors.ts'
import { Handles } from './handles.ts'
import { HeapGrowth } from './heap-growth.ts'
import type { Leak, LeakFigures, LeakReport } from './leak.ts'
import { Listeners, type Replaces } from './listeners.ts'
import { type Candidate, type Follower, RunLeaks } from './run-leaks.ts'
import { Sites } from './sites.ts'

/** Somebody who tracks. */
export interface Tracks {
  readonly names: ReadonlySet<string>
  readonly fromFirst: boolean
  readonly own: readonly string[]
  readonly replaces: Replaces
  /** Must not throw, nor reject. */
  tell(report: LeakReport, run: Run): Promise<void> | undefined
  /** The run of a tracked name has ended, or its heap was measured. */
  changed(name: string): void
}

class Tracker implements Follower {
  readonly #tracking = new Set<Tracks>()
  #sites = new Map<string, Sites>()
  readonly #heap = new HeapGrowth(
    (name) => this.tracks(name),
    (name, bytesPerRun) => {
      this.#sites.get(name)?.heapGrows(bytesPerRun)
      this.#changed(name)
    },
  )
  #parts: readonly { start(): void; stop(): void }[] = []

  /** The names of one who tracks have changed, or it tracks no longer. */
  update(tracks: Tracks, isTracking: boolean): void {
    if (isTracking) this.#tracking.add(tracks)
    else this.#tracking.delete(tracks)
    for (const name of this.#sites.keys()) if (!this.tracks(name)) this.#sites.delete(name)
    const isWanted = [...this.#tracking].some(({ names }) => names.size > 0)
    if (isWanted && this.#parts.length === 0) this.#start()
    else if (!isWanted && this.#parts.length > 0) this.#stop()
  }

  figures(name: string): LeakFigures {
    return this.#sites.get(name)?.figures() ?? { name, runs: 0, leaks: [] }
  }

  tracks(name: string): boolean {
    for (const { names } of this.#tracking) if (names.has(name)) return true
    return false
  }

  began(name: string): void {
    this.#heap.began(name)
  }

  left(run: Run, candidates: readonly Candidate[]): readonly Leak[] {
    const { name } = run
    const all = this.#of(name)
    if (all.length === 0) return []
    const own = all.flatMap((each) => each.own)
    const sites = this.#sites.get(name) ?? new Sites(name, own)
    this.#sites.set(name, sites)
    const leaks = sites.left(
      candidates,
      all.some(({ fromFirst }) => fromFirst),
    )
    this.#changed(name)
    return leaks
  }

  tell(run: Run, leaks: readonly Leak[]): Promise<void> | undefined {
    const told = this.#of(run.name).flatMap(
      (each) => each.tell({ run: run.name, leaks }, run) ?? [],
    )
    return told.length === 0 ? undefined : Promise.all(told).then(() => {})
  }

  ended(): void {
    this.#heap.ended()
  }

  #of(name: string): Tracks[] {
    return [...this.#tracking].filter(({ names }) => names.has(name))
  }

  #changed(name: string): void {
    for (const each of this.#of(name)) each.changed(name)
  }

  #start(): void {
    const replaces: Replaces = (...change) => {
      for (const each of this.#tracking) each.replaces(...change)
    }
    this.#parts = [new Handles(), new Listeners(replaces), new Descriptors()]
    for (const part of this.#parts) part.start()
    watchRuns({ began: (run) => new RunLeaks(run, this) })
  }

  #stop(): void {
    watchRuns(undefined)
    for (const part of this.#parts) part.stop()
    this.#parts = []
  }
}

export const tracker = new Tracker()
