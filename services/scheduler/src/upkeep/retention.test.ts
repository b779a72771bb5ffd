/** The rhythm of the sweep, over a table that is only made up. What it removes of a real one: history.test.ts. */
import { expect, test } from 'vitest'
import type { FoundPart, RetentionStore, TablePart } from '../ports/retention.ts'
import { createRetentionSweep } from './retention.ts'

const EVERY_MS = 60_000
const NEVER = new AbortController().signal
const NOW = 1_795_000_000_000_000

interface Made {
  readonly pages?: number
  /** What each part has; default: nothing. */
  readonly found?: Partial<FoundPart>
  readonly beginSweep?: () => boolean
  readonly remove?: () => number
  readonly onCount?: (part: TablePart) => void
}

/** Of one group, with calls written down: where parts begin that were counted, by what was removed. */
function table({
  pages = 1,
  found,
  beginSweep = () => true,
  remove = () => 0,
  onCount,
}: Made = {}) {
  const [counted, removed]: [TablePart[], number[]] = [[], []]
  const usual = { count: 1, oldest: NOW, newest: NOW, countMax: undefined, expiredBefore: 0 }
  const group = { namespace: 'default', kind: 1, state: 5 } as const
  const store: RetentionStore = {
    beginSweep: async () => beginSweep(),
    pages: async () => pages,
    async count(part) {
      counted.push(part)
      onCount?.(part)
      return found === undefined ? [] : [{ ...group, ...usual, ...found }]
    },
    countIntervals: async () => new Map(),
    async remove(_part, _group, before) {
      removed.push(before)
      return remove()
    },
    preview: async () => undefined,
  }
  const sweep = createRetentionSweep({ retention: store, everyMs: EVERY_MS })
  return { sweep, counted, removed }
}

test('the table is read part by part, each page once', async () => {
  const { sweep, counted } = table({ pages: 10_000 })
  await sweep(NEVER)
  expect(counted.length).toBeGreaterThan(5)
  expect(counted[0]?.fromPage).toBe(0)
  for (const [index, { fromPage }] of counted.slice(1).entries())
    expect(fromPage).toBe(counted[index]?.toPage)
  expect(counted.at(-1)?.toPage).toBeGreaterThanOrEqual(10_000)
})

test('a sweep that is stopped ends with the part it is at, and the next goes on there', async () => {
  const stopping = new AbortController()
  const { sweep, counted } = table({
    pages: 10_000,
    onCount: ({ fromPage }) => fromPage > 0 && stopping.abort(),
  })
  await sweep(stopping.signal)
  expect(counted.length).toBe(2)
  await sweep(NEVER)
  expect(counted[2]?.fromPage).toBe(counted[1]?.toPage)
})

test('what another replica sweeps is left alone, and begun anew when it sweeps no more', async () => {
  let isOurs = true
  const stopping = new AbortController()
  const { sweep, counted } = table({
    pages: 10_000,
    beginSweep: () => isOurs,
    onCount: () => stopping.abort(),
  })
  await sweep(stopping.signal)
  isOurs = false
  await sweep(NEVER)
  expect(counted.length).toBe(1)
  isOurs = true
  await sweep(NEVER)
  expect(counted[1]?.fromPage).toBe(0)
})

test('a pass that took long is followed by a rest that grows with it', async () => {
  const { sweep, counted } = table({ onCount: () => spin(20) })
  await sweep(NEVER)
  await sweep(NEVER)
  expect(counted.length).toBe(1)
})

test('it does not rest while much has to go, since the table would grow with the rest', async () => {
  const { sweep, counted } = table({
    found: { expiredBefore: NOW + 1, count: 100 },
    remove: () => 50,
    onCount: () => spin(20),
  })
  await sweep(NEVER)
  await sweep(NEVER)
  expect(counted.length).toBe(2)
})

test('where reading fails the next sweep begins anew', async () => {
  const { sweep, counted } = table({
    pages: 10_000,
    onCount: ({ fromPage }) => {
      if (fromPage > 0 && counted.length === 2) throw new Error('the database is away')
    },
  })
  await expect(sweep(NEVER)).rejects.toThrow('away')
  await sweep(NEVER)
  expect(counted[2]?.fromPage).toBe(0)
})

test('what is kept by its age goes by that alone, and is counted as a whole', async () => {
  const { sweep, removed } = table({ found: { expiredBefore: NOW + 1 } })
  await sweep(NEVER)
  expect(removed).toEqual([NOW + 1])
})

function spin(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}
