/** What runs have left behind, as threads tell it and the executor adds it up (row E4). */
import type { LeakKind } from '@offstage/proto/leak-kinds'

/** What is to be tracked. */
export interface LeakOrder {
  /** Names of methods, and of sections within them. */
  readonly names: readonly string[]
  /** Of these names those whose runs are counted from nothing, whatever was seen of them before. */
  readonly anew: readonly string[]
  /** Counts the orders of the executor. What is told says under which it was seen. */
  readonly round: number
  /** Nothing is kept from one attempt to the next: what the first leaves is told. */
  readonly fromFirstRun: boolean
}

export interface LeakFigure {
  readonly kind: LeakKind
  /** The frames of the code that made it; empty for growth of the heap. */
  readonly openedAt: string
  readonly runs: number
  readonly left: number
  readonly open: number
  readonly bytesPerRun?: number
}

export interface LeakFigures {
  readonly name: string
  readonly runs: number
  readonly leaks: readonly LeakFigure[]
}

/** What is known of the runs of one name from several who have seen some each; of growth of the heap the largest. */
export function sumOfFigures(all: readonly LeakFigures[], name: string): LeakFigures {
  const leaks = new Map<string, LeakFigure>()
  for (const { leaks: some } of all) {
    for (const leak of some) {
      const key = `${leak.kind}\n${leak.openedAt}`
      const known = leaks.get(key)
      leaks.set(key, known === undefined ? leak : sumOf(known, leak))
    }
  }
  const runs = all.reduce((sum, each) => added(sum, each.runs), 0)
  return { name, runs, leaks: [...leaks.values()].sort((a, b) => b.left - a.left) }
}

function sumOf(one: LeakFigure, other: LeakFigure): LeakFigure {
  const bytes = Math.max(one.bytesPerRun ?? 0, other.bytesPerRun ?? 0)
  return {
    ...one,
    runs: added(one.runs, other.runs),
    left: added(one.left, other.left),
    open: added(one.open, other.open),
    ...(bytes > 0 && { bytesPerRun: bytes }),
  }
}

/** Handlers share the threads that tell them: a sum that is no exact number any more stays at the largest that is. */
function added(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER)
}

/** Of a thread that has ended, and all that was open with it. */
export function withNothingOpen(figures: LeakFigures): LeakFigures {
  const leaks = figures.leaks.filter(({ kind }) => kind !== 'heap')
  return { ...figures, leaks: leaks.map((leak) => ({ ...leak, open: 0 })) }
}
