import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { appendParameter, type Component } from './components.ts'
import { type Entry, Entry as EntryClass } from './entry.ts'
import { createValuesStore, reusable } from './mod.ts'
import { Partition, type Table, type TableOwner } from './partition.ts'
import { defineReference, identityOf, reference } from './references.ts'

// few distinct values, so that equal and nearly equal parameter lists are common
const text = fc.constantFrom('', 'a', 'b', '1', 'null', 'undefined', 'NaN', '0', '-0', '\0', 'a1')
const scalar = fc.oneof(
  fc.constantFrom<unknown>(0, -0, undefined, null, NaN),
  fc.constantFrom<unknown>(undefined, null, true, false, 0, -0, 1, -1, NaN, Infinity, 0n, 1n, -1n),
  text,
  fc.constantFrom(0, 1, NaN).map((time) => new Date(time)),
  fc
    .tuple(text, fc.constantFrom<string | number | bigint>('1', 1, 1n, 0, -0, NaN))
    .map(([type, id]) => defineReference(type, id)),
  fc.oneof(fc.double(), fc.bigInt(), fc.string()),
)
const name = fc.constantFrom('a', 'b', 'c', '0', '1', '__proto__', 'constructor', '')
const structure = fc
  .uniqueArray(fc.tuple(name, scalar), { selector: ([key]) => key, maxLength: 4 })
  .map((properties) => Object.fromEntries(properties))
const parameter = fc.oneof({ weight: 3, arbitrary: scalar }, structure)
const params = fc.array(parameter, { maxLength: 4 })

/** The model: what 'equal by content' means, written without any of the code under test. */
function areEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b)
  }
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && Object.is(a.getTime(), b.getTime())
  }
  const [one, other] = [identityOf(a), identityOf(b)]
  if (one !== undefined || other !== undefined) {
    return one?.type === other?.type && Object.is(one?.id, other?.id)
  }
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every(
    (key) => Object.hasOwn(b, key) && areEqual(Reflect.get(a, key), Reflect.get(b, key)),
  )
}

const areListsEqual = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((param, i) => areEqual(param, b[i]))

function newTable(): Table {
  const owner: TableOwner = { filled: new Set(), dropTable: () => {} }
  const partition = new Partition({ session: 0, user: undefined, privileged: false })
  return partition.tableOf(owner)
}

function keyOf(table: Table, list: readonly unknown[]) {
  const components: Component[] = []
  const trie = table.trieFor(list.length, components)
  for (const param of list) expect(appendParameter(components, param)).toBe(true)
  return { trie, components }
}

describe('parameters compared by content', () => {
  test('two lists find the same entry exactly when a deep comparison finds them equal', () => {
    const lists = fc.array(params, { minLength: 2, maxLength: 30 })
    fc.assert(
      fc.property(lists, (all) => {
        const table = newTable()
        const model: { list: readonly unknown[]; entry: Entry }[] = []
        for (const list of all) {
          const { trie, components } = keyOf(table, list)
          const expected = model.find((known) => areListsEqual(known.list, list))
          const found = trie.find(components)
          expect(found).toBe(expected?.entry)
          if (found !== undefined) continue
          const [first, ...rest] = components
          const entry = new EntryClass({ trie, first, rest }, table)
          table.insert(entry)
          model.push({ list, entry })
        }
        expect(new Set(table.entries())).toEqual(new Set(model.map(({ entry }) => entry)))
      }),
      { numRuns: 500 },
    )
  })

  test('removing an entry leaves every other one where it was', () => {
    const lists = fc.array(fc.tuple(params, fc.boolean()), { maxLength: 30 })
    fc.assert(
      fc.property(lists, (all) => {
        const table = newTable()
        const kept = new Set<Entry>()
        const removed: Entry[] = []
        for (const [list, isRemoved] of all) {
          const { trie, components } = keyOf(table, list)
          if (trie.find(components) !== undefined) continue
          const [first, ...rest] = components
          const entry = new EntryClass({ trie, first, rest }, table)
          table.insert(entry)
          if (isRemoved) removed.push(entry)
          else kept.add(entry)
        }
        for (const entry of removed) table.remove(entry)
        for (const entry of removed)
          expect(entry.trie.find([entry.first, ...entry.rest])).toBe(undefined)
        expect(new Set(table.entries())).toEqual(kept)
        for (const entry of kept) table.remove(entry)
        expect(table.ones.root.size + table.twos.root.size + table.longer.root.size).toBe(0)
        expect(table.partition.filled.size).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  test('a wrapped function never answers with the result of different parameters', () => {
    fc.assert(
      fc.property(fc.array(params, { minLength: 2, maxLength: 30 }), (all) => {
        using store = createValuesStore()
        const echo = reusable((...list: unknown[]) => ({ list }), {
          name: 'echo',
          store,
          freeze: 'none',
        })
        const calls: { list: unknown[]; result: unknown }[] = []
        for (const list of all) {
          const result = echo(...list)
          const known = calls.find((call) => areListsEqual(call.list, list))
          if (known === undefined) calls.push({ list, result })
          else expect(result).toBe(known.result)
          expect(areListsEqual(result.list, list)).toBe(true)
        }
        expect(echo.statistics().misses).toBe(calls.length)
      }),
      { numRuns: 300 },
    )
  })
})

test('0 and -0 are apart at every place, found again or not', () => {
  using store = createValuesStore()
  const f = reusable((...params: unknown[]) => ({ params }), { name: 'f', store })
  const lists = [
    [0],
    [-0],
    [0, 1],
    [-0, 1],
    [1, 0],
    [1, -0],
    [0, 0],
    [-0, -0],
    [0, 1, 2],
    [-0, 1, 2],
  ]
  const structures = lists.slice(0, 8).map(([a, b]) => [{ a, b }])
  const all: unknown[][] = [...lists, ...structures]
  const values = all.map((list) => f(...list))
  expect(new Set(values).size).toBe(all.length)
  for (const _ of ['seen fresh', 'seen fresh in this tick']) {
    for (const [i, list] of all.entries()) expect(f(...list)).toBe(values[i])
  }
})

describe('what does not compare by content', () => {
  class Point {
    readonly x = 1
  }
  const getterOnSymbol = { [Symbol('s')]: 1 }
  test.each([
    ['an array', [1]],
    ['a nested structure', { a: { b: 1 } }],
    ['a structure with an array', { a: [1] }],
    ['a structure with a function', { a: () => 1 }],
    ['a structure with a symbol property', getterOnSymbol],
    ['an object without a prototype', Object.create(null)],
    ['a class instance', new Point()],
    ['a Map', new Map()],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a Date with properties', Object.assign(new Date(0), { zone: 'UTC' })],
    ['what only looks like a Date', Object.create(Date.prototype)],
    ['a proxy of a Date', new Proxy(new Date(0), {})],
    ['a structure with very long names', { ['a'.repeat(10_001)]: 1 }],
    ['an object with a malformed identity', { [reference]: { type: 1, id: 1 } }],
    [
      'a structure with too many properties',
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, i])),
    ],
  ])('%s makes the call run and remember nothing', (_, param) => {
    using store = createValuesStore()
    let runs = 0
    const count = reusable((_param: unknown) => ++runs, { name: 'count', store })
    expect([count(param), count(param)]).toEqual([1, 2])
    expect(count.statistics()).toMatchObject({ uncacheable: 2, misses: 0, entries: 0 })
  })
})

test('more parameters than a hundred make the call run and remember nothing', () => {
  using store = createValuesStore()
  const sum = reusable((...all: number[]) => all.length, { name: 'sum', store })
  const all = Array.from({ length: 101 }, (_, i) => i)
  sum(...all)
  expect(sum.statistics()).toMatchObject({ uncacheable: 1, entries: 0 })
  for (const last of [1, 2]) sum(...all.slice(2), last)
  expect(sum.statistics()).toMatchObject({ misses: 2, entries: 2 })
})

describe('the function gets parameters of its own', () => {
  test('what a caller changes while it runs reaches neither the value nor another caller', async () => {
    using store = createValuesStore()
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const year = reusable(
      async (of: { year: number; at: Date }) => {
        await gate
        return { year: of.year, at: of.at.getTime() }
      },
      { name: 'year', store },
    )
    const mine = { year: 2026, at: new Date(5) }
    const first = year(mine)
    const second = year({ at: new Date(5), year: 2026 })
    mine.year = 2027
    mine.at.setTime(6)
    open()
    expect(await first).toEqual({ year: 2026, at: 5 })
    expect(await second).toBe(await first)
    expect(year.statistics()).toMatchObject({ misses: 1 })
  })

  test('a property that answers differently each time is read once', () => {
    using store = createValuesStore()
    let reads = 0
    const read = reusable((of: { n: number }) => of.n, { name: 'read', store })
    expect(
      read({
        get n() {
          return ++reads
        },
      }),
    ).toBe(1)
    expect(read({ n: 1 })).toBe(1)
    expect(read.statistics()).toMatchObject({ misses: 1, hits: 1 })
  })

  test('a returned parameter is not the caller’s own, which stays open', () => {
    using store = createValuesStore()
    const echo = reusable((of: { n: number }) => of, { name: 'echo', store })
    const mine = { n: 1 }
    echo(mine)
    expect(Object.isFrozen(mine)).toBe(false)
  })

  test('references arrive as the objects they are', () => {
    using store = createValuesStore()
    const ann = { [reference]: { type: 'customer', id: 1 }, name: 'Ann' }
    const nameOf = reusable((of: { who: typeof ann }, who: typeof ann) => [of.who.name, who.name], {
      name: 'nameOf',
      store,
    })
    expect(nameOf({ who: ann }, ann)).toEqual(['Ann', 'Ann'])
  })
})

test('a Date of a remembered value is a parameter like any other', async () => {
  using store = createValuesStore()
  const row = reusable(() => ({ at: new Date(5) }), { name: 'row', store })
  let runs = 0
  const report = reusable((_at: Date) => ++runs, { name: 'report', store })
  expect([report(row().at), report(row().at), report(new Date(5))]).toEqual([1, 1, 1])
  await report.refreshFor(row().at)
  expect(report(row().at)).toBe(2)
})

test('an instance of a class is a parameter once it declares its identity', () => {
  class Customer {
    readonly id: number
    name: string
    constructor(id: number, name: string) {
      this.id = id
      this.name = name
    }
    get [reference]() {
      return { type: 'customer', id: this.id }
    }
  }
  using store = createValuesStore()
  let runs = 0
  const discount = reusable((_of: Customer) => ++runs, { name: 'discount', store })
  expect(discount(new Customer(1, 'Ann'))).toBe(1)
  expect(discount(new Customer(1, 'Ann Lee'))).toBe(1)
  expect(discount(new Customer(2, 'Ann'))).toBe(2)
})

test('structures keep comparing by content after more shapes than are kept in mind', () => {
  using store = createValuesStore()
  const sum = reusable((of: Record<string, number>) => ({ names: Object.keys(of).sort() }), {
    name: 'sum',
    store,
  })
  for (let i = 0; i < 25_000; i++) sum({ [`a${i}`]: 1, b: 2 })
  expect(sum({ a1: 1, b: 2 }).names).toEqual(['a1', 'b'])
  expect(sum({ b: 2, a1: 1 })).toBe(sum({ a1: 1, b: 2 }))
})
