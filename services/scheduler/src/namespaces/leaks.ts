/** Looking for leaks (row E4): what is tracked for a while, what was found, and who asks and tells. */
import { LIMITS } from '@offstage/proto/limits'
import type { ActBy } from '../domain/act.ts'
import { countFitting } from '../domain/answer-size.ts'
import {
  type LeakFigures,
  type ReportedFigures,
  sumByName,
  type TrackedRuns,
} from '../domain/leaks.ts'
import type { LeakStore } from '../ports/leaks.ts'
import { tooManyTracked } from './refusals.ts'

export interface Leaks {
  track(namespace: string, names: readonly string[], durationMs: number, by: ActBy): Promise<void>
  /** Undefined: all. */
  stop(namespace: string, names: readonly string[] | undefined, by: ActBy): Promise<void>
  list(namespace: string): Promise<FoundLeaks>
  /** What is to be tracked, as it was a second ago at most. */
  report(
    namespace: string,
    reporter: string,
    figures: readonly ReportedFigures[],
  ): Promise<readonly TrackedRuns[]>
}

export interface FoundLeaks {
  readonly tracked: readonly TrackedRuns[]
  readonly figures: readonly LeakFigures[]
}

/** Each executor asks each 5 s: all those of a replica are answered by one statement a second. */
const KNOWN_MS = 1_000
/** Names of an answer, and reporters that are added up for it. */
const NAMES_MAX = 1_000
const REPORTERS_MAX = 2_000

export function createLeaks(store: LeakStore): Leaks {
  let known:
    | { readonly atMs: number; readonly tracked: ReturnType<LeakStore['tracked']> }
    | undefined
  const tracked = async (namespace: string) => {
    if (known === undefined || performance.now() - known.atMs > KNOWN_MS) {
      const asked = { atMs: performance.now(), tracked: store.tracked() }
      known = asked
      asked.tracked.catch(() => {
        // Told to those who wait for it; the next asks again.
        if (known === asked) known = undefined
      })
    }
    const all = await known.tracked
    return all.filter((each) => each.namespace === namespace)
  }
  const forgetting = async <T>(change: Promise<T>): Promise<T> => {
    const changed = await change
    known = undefined
    return changed
  }
  return {
    async track(namespace, names, durationMs, by) {
      const max = LIMITS.leakNamesMax
      const isTracked = await forgetting(store.track(namespace, names, durationMs, max, by))
      if (!isTracked) throw tooManyTracked(namespace, max)
    },
    stop: (namespace, names, by) => forgetting(store.stop(namespace, names, by)),
    async list(namespace) {
      const [all, told] = await Promise.all([store.tracked(), store.list(namespace, REPORTERS_MAX)])
      const figures = sumByName(told, LIMITS.leakPlacesMax).slice(0, NAMES_MAX)
      return {
        tracked: all.filter((each) => each.namespace === namespace),
        figures: figures.slice(0, countFitting(figures, figuresBytes)),
      }
    },
    async report(namespace, reporter, figures) {
      if (figures.length > 0) await store.record(namespace, reporter, figures)
      return tracked(namespace)
    },
  }
}

/** An upper bound: a UTF-16 unit takes three bytes at most. */
function figuresBytes({ name, leaks }: LeakFigures): number {
  return leaks.reduce((sum, { openedAt }) => sum + 3 * openedAt.length + 60, 3 * name.length + 20)
}
