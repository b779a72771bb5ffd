/** What is measured, and with which calls. Each scenario is a comparison of its own. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Filter, newBento, newDedupe, newLru, newReusable, type Value } from './contestants.ts'
import { type Contestant, compare, type Figures } from './timing.ts'

export const LRU = 'lru-cache'
export const SYNC = 'reusable'
export const ASYNC = 'reusable async'
/** With `unfreezable: 'bypass'`. */
export const BYPASS = 'reusable bypassing'
export const DEDUPE = 'async-cache-dedupe'
export const BENTO = 'bentocache'

const KEYS = 1000
const SYNC_OPERATIONS = 200_000
const ASYNC_OPERATIONS = 20_000

/** Keeps results alive, so that no call can be optimised away. */
export const kept: { value: unknown } = { value: undefined }

const newValue = (id: number): Value => ({ id })

/**
 * The calls of a hit: the parameters, and the text a user of the other libraries would make of
 * them.
 */
interface Hit {
  readonly params: readonly (readonly unknown[])[]
  readonly text: (params: readonly unknown[]) => string | number
  /** One reusable call each, spelled out so that no list of parameters is spread. */
  readonly call: (of: (...params: readonly unknown[]) => unknown, i: number) => unknown
}

const numbers = Array.from({ length: KEYS }, (_, i) => i)
const names = numbers.map((i) => `name${i}`)
const filters: Filter[] = numbers.map((i) => ({
  customer: `customer${i}`,
  year: 2000 + (i % 20),
  open: i % 2 === 0,
  region: 'north',
}))

export const hits: Readonly<Record<string, Hit>> = {
  'hit, no parameter': {
    params: [[]],
    text: () => '',
    call: (of) => of(),
  },
  'hit, one primitive': {
    params: numbers.map((i) => [i]),
    text: ([i]) => i as number,
    call: (of, i) => of(numbers[i % KEYS]),
  },
  'hit, two primitives': {
    params: numbers.map((i) => [names[i], i]),
    text: ([name, i]) => `${name}:${i}`,
    call: (of, i) => of(names[i % KEYS], numbers[i % KEYS]),
  },
  'hit, flat structure': {
    params: filters.map((filter) => [filter]),
    text: ([filter]) => JSON.stringify(filter),
    call: (of, i) => of(filters[i % KEYS]),
  },
}

export async function compareHit({ params, text, call }: Hit): Promise<Figures> {
  const lru = newLru()
  const sync = newReusable(() => newValue(1))
  const async = newReusable(async () => newValue(1))
  const dedupe = newDedupe(async () => newValue(1))
  const bento = newBento()
  // both take one parameter: a list for more than one, as their users would
  const single = params.map((list) => (list.length === 1 ? list[0] : list))
  const { length } = params
  for (const [i, list] of params.entries()) {
    lru.set(text(list), newValue(1))
    call(sync, i)
    await call(async, i)
    await dedupe(single[i])
    await bento(String(text(list)), async () => newValue(1))
  }
  return compare([
    loop(LRU, (i) => lru.get(text(params[i % length] ?? []))),
    loop(SYNC, (i) => call(sync, i)),
    asyncLoop(ASYNC, (i) => call(async, i)),
    asyncLoop(DEDUPE, (i) => dedupe(single[i % length])),
    asyncLoop(BENTO, (i) => bento(String(text(params[i % length] ?? [])), async () => newValue(1))),
  ])
}

export function compareMiss(): Promise<Figures> {
  const lru = newLru()
  const sync = newReusable((id) => newValue(id as number))
  const async = newReusable(async (id) => newValue(id as number))
  const dedupe = newDedupe(async (id) => newValue(id as number))
  const bento = newBento()
  let next = 0
  const operations = 5000
  return compare([
    loop(LRU, () => lru.get(next) ?? lru.set(next, newValue(next++)), operations),
    loop(SYNC, () => sync(next++), operations),
    asyncLoop(ASYNC, () => async(next++), operations),
    asyncLoop(DEDUPE, () => dedupe(next++), operations),
    asyncLoop(BENTO, () => bento(String(next++), async () => newValue(next)), operations),
  ])
}

const CALLERS = 1000
const CONTENDED_KEYS = 30

/** How often each library computed for one key at most; filled in by `compareContended`. */
export const computations = new Map<string, number>()

/** Missing keys one after another, each with 1,000 callers at once. Figures are per caller. */
export function compareContended(): Promise<Figures> {
  const bento = newBento()
  return compare([
    crowd(ASYNC, (compute) => newReusable(() => compute())),
    crowd(BYPASS, (compute) => newReusable(() => compute(), 'bypass')),
    crowd(DEDUPE, (compute) => newDedupe(compute)),
    crowd(BENTO, (compute) => (key) => bento(String(key), compute)),
  ])
}

function crowd(
  name: string,
  ask: (compute: () => Promise<Value>) => (key: number) => unknown,
): Contestant {
  let key = 0
  let computed = 0
  const caller = ask(async () => {
    computed++
    await nextTurn()
    return newValue(key)
  })
  return {
    name,
    operations: CALLERS * CONTENDED_KEYS,
    async run() {
      for (let i = 0; i < CONTENDED_KEYS; i++) {
        const before = computed
        key++
        kept.value = await Promise.all(Array.from({ length: CALLERS }, () => caller(key)))
        computations.set(name, Math.max(computations.get(name) ?? 0, computed - before))
      }
    },
  }
}

function loop(
  name: string,
  call: (i: number) => unknown,
  operations: number = SYNC_OPERATIONS,
): Contestant {
  return {
    name,
    operations,
    run() {
      for (let i = 0; i < operations; i++) kept.value = call(i)
    },
  }
}

function asyncLoop(
  name: string,
  call: (i: number) => unknown,
  operations: number = ASYNC_OPERATIONS,
): Contestant {
  return {
    name,
    operations,
    async run() {
      for (let i = 0; i < operations; i++) kept.value = await call(i)
    },
  }
}
