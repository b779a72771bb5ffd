/** What runs have left behind (row E4), as executors and services tell it. */

/** Of runs of one name in one place of the code. */
export interface Leak {
  /** As in the contract. */
  readonly kind: number
  /** The frames of the code that made it; empty for growth of the heap. */
  readonly openedAt: string
  readonly runCount: number
  readonly leftCount: number
  readonly openCount: number
  readonly bytesPerRun: number
}

export interface LeakFigures {
  readonly name: string
  readonly runCount: number
  readonly leaks: readonly Leak[]
}

/** What a reporter tells. */
export interface ReportedFigures extends LeakFigures {
  /** Under which tracking it was found; empty: the present one. */
  readonly trackingId: string
}

export interface TrackedRuns {
  readonly name: string
  readonly leftMs: number
  /** Another one once they are tracked anew. */
  readonly trackingId: string
}

/** What several have told together, by name, as they come; of each name the places where most was left first, at most `leaksMax`. */
export function sumByName(all: readonly LeakFigures[], leaksMax: number): LeakFigures[] {
  const byName = Map.groupBy(all, ({ name }) => name)
  return [...byName].map(([name, told]) => {
    const leaks = [...sumByPlace(told.flatMap((each) => each.leaks))]
    leaks.sort((a, b) => b.leftCount - a.leftCount || b.bytesPerRun - a.bytesPerRun)
    const runCount = told.reduce((sum, each) => added(sum, each.runCount), 0)
    return { name, runCount, leaks: leaks.slice(0, leaksMax) }
  })
}

function sumByPlace(leaks: readonly Leak[]): Leak[] {
  const byPlace = Map.groupBy(leaks, ({ kind, openedAt }) => `${kind} ${openedAt}`)
  return [...byPlace.values()].map((same) => same.reduce(sumOf))
}

function sumOf(one: Leak, other: Leak): Leak {
  return {
    ...one,
    runCount: added(one.runCount, other.runCount),
    leftCount: added(one.leftCount, other.leftCount),
    openCount: added(one.openCount, other.openCount),
    bytesPerRun: Math.max(one.bytesPerRun, other.bytesPerRun),
  }
}

/** Anybody may have told them: a sum that is no exact number any more stays at the largest that is. */
function added(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER)
}
