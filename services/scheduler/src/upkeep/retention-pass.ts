/**
 * One reading of the whole table of jobs, a part at a time: what is found to be beyond age or cut is removed, and what stays is
 * counted, for the cuts of the next pass.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type FoundGroup, nextCut, type RetentionCut } from '../domain/retention-cut.ts'
import type { FinishedGroup, FoundPart, RetentionStore, TablePart } from '../ports/retention.ts'

/** By group; see {@link keyOf}. */
export type Cuts = ReadonlyMap<string, RetentionCut>

export interface PassOutcome {
  readonly cuts: Cuts
  /** How many are beyond the count of their group, and how many such groups have in all. */
  readonly beyond: number
  readonly ofBeyond: number
  /** How many it removed, and how many of all groups it left. */
  readonly removed: number
  readonly left: number
  /** What reading took, without pauses. */
  readonly readMs: number
}

export interface RetentionPass {
  /** Goes on with it, for as long as that says true; undefined where it is not at its end. */
  goOn(may: () => Promise<boolean>, signal: AbortSignal): Promise<PassOutcome | undefined>
}

/** Removed at once. Fewer, and on a busy machine more is waited than removed, and jobs end faster than they go. */
const BATCH = 2_000
/** A part of the table is made as large as is read within such a time. */
const PART_MS = { min: 5, max: 20 } as const
const PART_PAGES = { min: 16, first: 128, max: 1_024 } as const
/** Pauses in parts of the work before them. What has to go must go faster than jobs end, what is only looked for can wait. */
const REST = { removing: 0.5, looking: 3 } as const
const REST_MS_MAX = 1_000

interface Found extends FoundGroup {
  readonly intervals: Map<number, number> | undefined
}

export interface PassOptions {
  readonly cuts: Cuts
  /** That the table has at the beginning: what ends meanwhile beyond them is for the next pass. */
  readonly pages: number
  /** Much is known to have to go. */
  readonly isUrgent: boolean
}

export function createRetentionPass(
  store: Omit<RetentionStore, 'beginSweep' | 'pages' | 'preview'>,
  { cuts, pages, isUrgent }: PassOptions,
): RetentionPass {
  const groups = new Map<string, Found>()
  const tiesLeft = new Map([...cuts].map(([key, { ties }]) => [key, ties]))
  let fromPage = 0
  let size: number = PART_PAGES.first
  let readMs = 0
  let removedInAll = 0

  /** At most `countMax` of those that ended before; how many. */
  const removeAll = async (
    { part, group, before, countMax = Number.POSITIVE_INFINITY }: Removal,
    signal: AbortSignal,
  ): Promise<number> => {
    for (let removed = 0; ; ) {
      const limit = Math.min(BATCH, countMax - removed)
      const begin = performance.now()
      const done = await store.remove(part, group, before, limit)
      removed += done
      removedInAll += done
      if (done < limit || removed >= countMax || signal.aborted) return removed
      await rest((performance.now() - begin) * REST.removing, signal)
    }
  }

  const sweepGroup = async (part: TablePart, found: FoundPart, signal: AbortSignal) => {
    const key = keyOf(found)
    const set = cuts.get(key)
    const cut = set?.countMax === found.countMax ? set : undefined
    const before = Math.max(found.expiredBefore, cut?.before ?? 0)
    const removal = { part, group: found }
    let removed = 0
    if (found.oldest < before) removed += await removeAll({ ...removal, before }, signal)
    const ties = cut === undefined ? 0 : (tiesLeft.get(key) ?? 0)
    if (cut !== undefined && ties > 0 && found.oldest <= cut.before) {
      const atOnce = { ...removal, before: cut.before + 1, countMax: ties }
      tiesLeft.set(key, ties - (await removeAll(atOnce, signal)))
    }
    const intervals = cut && (await timed(() => store.countIntervals(part, found, cut)))
    const count = intervals ? sum(intervals.values()) : found.count - removed
    const oldest = Math.max(found.oldest, before)
    add(groups, key, { ...found, count, oldest, intervals })
  }

  const timed = async <T>(read: () => Promise<T>): Promise<T> => {
    const begin = performance.now()
    const found = await read()
    readMs += performance.now() - begin
    return found
  }

  return {
    async goOn(may, signal) {
      while (fromPage < pages) {
        if (!(await may())) return undefined
        const part = { fromPage, toPage: fromPage + size }
        const readBefore = readMs
        const found = await timed(() => store.count(part))
        size = sizeAfter(size, readMs - readBefore)
        for (const group of found) await sweepGroup(part, group, signal)
        fromPage = part.toPage
        if (fromPage < pages)
          await rest((readMs - readBefore) * REST[isUrgent ? 'removing' : 'looking'], signal)
      }
      return { ...outcomeOf(groups, cuts), removed: removedInAll, readMs }
    },
  }
}

interface Removal {
  readonly part: TablePart
  readonly group: FinishedGroup
  readonly before: number
  readonly countMax?: number
}

function outcomeOf(groups: ReadonlyMap<string, Found>, cuts: Cuts) {
  const next = new Map<string, RetentionCut>()
  let [beyond, ofBeyond, left] = [0, 0, 0]
  for (const [key, found] of groups) {
    const cut = nextCut(found, cuts.get(key))
    if (cut !== undefined) next.set(key, cut)
    left += found.count
    const excess = found.count - (found.countMax ?? found.count)
    if (excess <= 0) continue
    beyond += excess
    ofBeyond += found.count
  }
  return { cuts: next, beyond, ofBeyond, left }
}

function add(groups: Map<string, Found>, key: string, found: Found): void {
  const known = groups.get(key)
  if (known === undefined) {
    groups.set(key, found)
    return
  }
  // Where the rule has changed in between, the next pass begins anew with it.
  const isSame = known.countMax === found.countMax
  const intervals = isSame && known.intervals && found.intervals ? known.intervals : undefined
  for (const [start, count] of found.intervals ?? [])
    intervals?.set(start, (intervals.get(start) ?? 0) + count)
  groups.set(key, {
    countMax: found.countMax,
    count: known.count + found.count,
    oldest: Math.min(known.oldest, found.oldest),
    newest: Math.max(known.newest, found.newest),
    intervals,
  })
}

function sizeAfter(size: number, ms: number): number {
  if (ms < PART_MS.min) return Math.min(size * 2, PART_PAGES.max)
  return ms > PART_MS.max ? Math.max(size / 2, PART_PAGES.min) : size
}

const keyOf = ({ namespace, kind, state }: FinishedGroup) => `${kind} ${state} ${namespace}`

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Cut short when the signal aborts. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ms, REST_MS_MAX), undefined, { signal }).catch(() => {})
}
