/**
 * What of a group of finished jobs is beyond its count. No index tells which jobs are the oldest: they are counted by intervals of
 * time as the whole table is read, and each time it is read again the interval on the border is counted more finely, down to a
 * microsecond, until exactly the newest are kept. Times are in microseconds since 1970, which PostgreSQL has and a double holds.
 */

/** How a group is cut the next time the table is read. */
export interface RetentionCut {
  /** The rule it was made for. By any other it counts for nothing. */
  readonly countMax: number
  /** What ended before is removed. */
  readonly before: number
  /** So many of those that ended right at `before` go with it. */
  readonly ties: number
  /** Intervals last 2 to the power of this: `fineBits` from `before` to `fineTo`, `bits` after that. */
  readonly bits: number
  readonly fineTo: number
  readonly fineBits: number
}

/** What was found of a group as the table was read. */
export interface FoundGroup {
  /** Undefined: any number. */
  readonly countMax: number | undefined
  readonly count: number
  readonly oldest: number
  readonly newest: number
  /** How many are in the intervals of the cut, by the beginning of each; undefined where there was no cut. */
  readonly intervals: ReadonlyMap<number, number> | undefined
}

/** Intervals that a group, and that one of them, is divided into. */
const DIVIDED_BITS = 10

/** Undefined where the group is to be counted as a whole. */
export function nextCut(found: FoundGroup, last: RetentionCut | undefined) {
  const { countMax, count, oldest, newest, intervals } = found
  // From half of the count on, so that what goes beyond it is found at once.
  if (countMax === undefined || count <= countMax / 2) return undefined
  // Where all that is left is what cannot be removed, the newest ended before the oldest that may stay.
  const bits = dividing(newest - oldest + 1)
  const uncut: RetentionCut = { countMax, before: 0, ties: 0, bits, fineTo: 0, fineBits: 0 }
  if (last === undefined || intervals === undefined || count <= countMax) return uncut
  let newer = 0
  for (const [start, inIt] of [...intervals].sort(([one], [other]) => other - one)) {
    const excess = newer + inIt - countMax
    if (excess === 0) return { ...uncut, before: start, fineTo: start }
    if (excess < 0) {
      newer += inIt
      continue
    }
    const end = endOf(start, last)
    const ties = end - start === 1 ? excess : 0
    return { ...uncut, before: start, ties, fineTo: end, fineBits: dividing(end - start) }
  }
  // Fewer in the intervals than in all: the others were about to go.
  return uncut
}

function endOf(start: number, { bits, fineTo, fineBits }: RetentionCut): number {
  const width = 2 ** (start < fineTo ? fineBits : bits)
  const end = Math.floor(start / width) * width + width
  return start < fineTo ? Math.min(end, fineTo) : end
}

const dividing = (span: number) =>
  Math.max(0, Math.ceil(Math.log2(Math.max(span, 1))) - DIVIDED_BITS)
