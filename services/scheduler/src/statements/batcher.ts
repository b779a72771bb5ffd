/**
 * Group commit: what arrives while a statement is in flight goes into the next one.
 *
 * Callers add groups; a batch is made of whole groups in the order of arrival, up to `maxItems`. An idle batcher waits
 * one turn of the event loop, so that calls read from the sockets in the same turn share a statement.
 *
 * Invariants:
 *  1. At most `concurrency` statements are in flight.
 *  2. At most `maxQueued` items wait; a group beyond that is refused at once, nothing of it is kept (guarantee 6).
 *  3. Every group settles: with its own part of the outcomes, or with the error of its statement.
 *  4. A batch that failed for what was in it is run again group by group, so that one bad group fails alone.
 */
import assert from 'node:assert/strict'

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
  add(items: readonly Item[]): Promise<Outcome[]>
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
  let waiting: Group<Item, Outcome>[] = []
  /** Groups of a failed batch; they go first, each alone. */
  const suspects: Group<Item, Outcome>[] = []
  let queued = 0
  let running = 0
  let inFlight = 0
  let scheduled = false

  const schedule = () => {
    if (scheduled || inFlight >= concurrency || waiting.length + suspects.length === 0) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      while (waiting.length + suspects.length > 0 && inFlight < concurrency) void flush(take())
    })
  }

  const take = (): Group<Item, Outcome>[] => {
    const suspect = suspects.shift()
    if (suspect !== undefined) return [suspect]
    let count = 0
    let end = 0
    for (const group of waiting) {
      if (end > 0 && count + group.items.length > maxItems) break
      count += group.items.length
      end++
    }
    const batch = waiting.slice(0, end)
    waiting = waiting.slice(end)
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
    add(items) {
      if (items.length === 0) return Promise.resolve([])
      if (queued > 0 && queued + items.length > maxQueued) return Promise.reject(overflow())
      queued += items.length
      return new Promise((resolve, reject) => {
        waiting.push({ items, resolve, reject })
        schedule()
      })
    },
    get size() {
      return queued + running
    },
  }
}
