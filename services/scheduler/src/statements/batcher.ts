/**
 * Group commit: what arrives while a statement is in flight goes into the next one.
 *
 * Callers add groups; a batch is made of whole groups up to `maxItems`: a group of each caller in turn, those of one in the
 * order of arrival. An idle batcher waits one turn of the event loop, so that calls read from the sockets in the same turn
 * share a statement.
 *
 * Invariants:
 *  1. At most `concurrency` statements are in flight.
 *  2. Of about `maxQueued` items that wait each caller has a share (see hasShare); a group beyond that is refused at once,
 *     nothing of it is kept (guarantee 6).
 *  3. Every group settles: with its own part of the outcomes, or with the error of its statement.
 *  4. A batch that failed for what was in it is run again group by group, so that one bad group fails alone.
 */
import assert from 'node:assert/strict'
import { hasShare } from '@offstage/kit/fairness'
import { Line } from './line.ts'

export interface BatcherOptions<Item, Outcome> {
  /** One outcome for each item, in the same order. */
  run(items: readonly Item[]): Promise<readonly Outcome[]>
  readonly maxItems: number
  readonly maxQueued: number
  /** Default 1. */
  readonly concurrency?: number
  /** Whether a failed batch may have failed for one of its items, so that the others deserve a try of their own. */
  isDataError?(error: unknown): boolean
  /** What a group gets that finds the queue full. */
  overflow(): Error
}

export interface Batcher<Item, Outcome> {
  /** @param caller who takes turns with others; default: all are one */
  add(items: readonly Item[], caller?: string): Promise<Outcome[]>
  /** Items waiting or in flight. */
  readonly size: number
}

interface Group<Item, Outcome> {
  readonly items: readonly Item[]
  readonly resolve: (outcomes: Outcome[]) => void
  readonly reject: (error: unknown) => void
}

export function createBatcher<Item, Outcome>(
  options: BatcherOptions<Item, Outcome>,
): Batcher<Item, Outcome> {
  const { run, maxItems, maxQueued, concurrency = 1, overflow } = options
  const isDataError = options.isDataError ?? (() => false)
  /** Whose turn is next comes first. */
  const lines = new Map<string, Line<Group<Item, Outcome>>>()
  /** Groups of a failed batch; they go first, each alone. */
  const suspects: Group<Item, Outcome>[] = []
  let queued = 0
  let running = 0
  let inFlight = 0
  let scheduled = false

  const schedule = () => {
    if (scheduled || inFlight >= concurrency || lines.size + suspects.length === 0) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      while (lines.size + suspects.length > 0 && inFlight < concurrency) void flush(take())
    })
  }

  const take = (): Group<Item, Outcome>[] => {
    const suspect = suspects.shift()
    if (suspect !== undefined) return [suspect]
    const batch: Group<Item, Outcome>[] = []
    let count = 0
    let hasRoom = true
    for (let [turn] = lines; turn !== undefined; [turn] = lines) {
      const [caller, line] = turn
      // Who is alone has all turns.
      do {
        const group = line.first
        hasRoom = batch.length === 0 || count + group.items.length <= maxItems
        if (!hasRoom) break
        count += group.items.length
        batch.push(group)
        line.shift(group.items.length)
      } while (lines.size === 1 && !line.isEmpty)
      if (!hasRoom) break
      lines.delete(caller)
      if (!line.isEmpty) lines.set(caller, line)
    }
    queued -= count
    return batch
  }

  const flush = async (groups: readonly Group<Item, Outcome>[]) => {
    const items =
      groups.length === 1 && groups[0] ? groups[0].items : groups.flatMap((g) => g.items)
    inFlight++
    running += items.length
    try {
      const outcomes = await run(items)
      assert.equal(outcomes.length, items.length, 'one outcome for each item')
      let from = 0
      for (const group of groups) {
        group.resolve(outcomes.slice(from, from + group.items.length))
        from += group.items.length
      }
    } catch (error) {
      if (groups.length > 1 && isDataError(error)) suspects.push(...groups)
      else for (const group of groups) group.reject(error)
    } finally {
      inFlight--
      running -= items.length
      schedule()
    }
  }

  return {
    add(items, caller = '') {
      if (items.length === 0) return Promise.resolve([])
      const line = lines.get(caller) ?? new Line()
      const own = { own: line.items, more: items.length }
      if (!hasShare({ max: maxQueued, waiting: queued, callers: lines.size, ...own })) {
        return Promise.reject(overflow())
      }
      queued += items.length
      return new Promise((resolve, reject) => {
        line.push({ items, resolve, reject }, items.length)
        lines.set(caller, line)
        schedule()
      })
    },
    get size() {
      return queued + running
    },
  }
}
