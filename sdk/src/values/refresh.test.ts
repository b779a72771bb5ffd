import { describe, expect, test } from 'vitest'
import {
  connectAllStores,
  createInProcessRefresh,
  createValuesSession,
  createValuesStore,
  defaultValuesStore,
  defineReference,
  type RefreshMessage,
  type RefreshPort,
  refreshReusableValues,
  reusable,
  runWithValuesIdentity,
} from './mod.ts'
import { openValuesStores } from './store.ts'

function setup(refreshPort?: RefreshPort) {
  const store = createValuesStore({ refreshPort })
  let runs = 0
  const customer = reusable((id: unknown) => ({ id, run: ++runs }), {
    name: 'customer',
    store,
    freeze: 'none',
    tags: ({ id }) => ['customers', `customer:${String(id)}`],
  })
  const rate = reusable((_from: unknown, _to?: unknown) => ++runs, { name: 'rate', store })
  return { customer, rate, store, [Symbol.dispose]: () => store.close() }
}

const entriesOf = (it: ReturnType<typeof setup>) => [
  it.customer.statistics().entries,
  it.rate.statistics().entries,
]

describe('refreshing', () => {
  test('all drops everything, of every session and user', async () => {
    using it = setup()
    using session = createValuesSession()
    it.customer(1)
    session.run(() => it.rate('EUR'))
    runWithValuesIdentity({ user: 'ann', privileged: true }, () => it.rate('EUR'))
    await refreshReusableValues(undefined, { store: it.store })
    expect(entriesOf(it)).toEqual([0, 0])
    expect(it.rate.statistics().drops.refresh).toBe(2)
  })

  test('by function drops that function only, by name or by itself', async () => {
    using it = setup()
    it.customer(1)
    it.rate('EUR')
    await refreshReusableValues({ function: 'customer' }, { store: it.store })
    expect(entriesOf(it)).toEqual([0, 1])
    await refreshReusableValues({ function: it.rate }, { store: it.store })
    expect(entriesOf(it)).toEqual([0, 0])
  })

  test.each([
    [[]],
    [[undefined]],
    [['EUR']],
    [[-0]],
    [[NaN]],
    [[3n]],
    [[new Date(5)]],
    [['EUR', 'USD']],
    [[0, -0]],
    [[{ b: 1, a: undefined }]],
    [[defineReference('currency', 'EUR'), { at: new Date(1) }]],
  ])('by parameters (case %#) drops the one value, in every session', async (params) => {
    using it = setup()
    using session = createValuesSession()
    const [from, to] = params
    const call = () => (it.rate as (...params: unknown[]) => number)(...params)
    call()
    session.run(call)
    it.rate('other')
    it.rate(from, 'other')
    await refreshReusableValues({ function: it.rate, params }, { store: it.store })
    expect(entriesOf(it)).toEqual([0, 2])
    call()
    await it.rate.refreshFor(...([from, to].slice(0, params.length) as [unknown]))
    expect(entriesOf(it)).toEqual([0, 2])
  })

  test('by parameters that are never remembered does nothing', async () => {
    using it = setup()
    it.rate('EUR')
    await it.rate.refreshFor([1])
    expect(entriesOf(it)).toEqual([0, 1])
  })

  test('by tag drops what carries it', async () => {
    using it = setup()
    it.customer(1)
    it.customer(2)
    it.rate('EUR')
    await refreshReusableValues({ tag: 'customer:1' }, { store: it.store })
    expect(entriesOf(it)).toEqual([1, 1])
    expect(it.customer(2).run).toBe(2)
    await refreshReusableValues({ tag: 'customers' }, { store: it.store })
    await refreshReusableValues({ tag: 'customers' }, { store: it.store })
    expect(entriesOf(it)).toEqual([0, 1])
  })
})

test('a signal is no parameter of a refresh', async () => {
  using store = createValuesStore()
  const f = reusable(async (n: number, _signal?: AbortSignal) => n, { name: 'f', store })
  const { signal } = new AbortController()
  await f(1, signal)
  await f.refreshFor(1, signal)
  expect(f.statistics()).toMatchObject({ entries: 0 })
})

test.each([
  'EUR',
  '{}',
  '[["other"]]',
  '[["structure",1]]',
  '[["bigint","x"]]',
  '[["structure",[["a",["structure",[]]]]]]',
])('parameters that nobody can read, %s, are refreshed with their function', (params) => {
  using it = setup()
  it.customer(1)
  it.rate('EUR')
  it.store.receive({ origin: 'elsewhere', scope: { kind: 'params', name: 'rate', params } })
  expect(entriesOf(it)).toEqual([1, 0])
})

test('a list of tags that the function uses again for the next value is not mixed up', async () => {
  using store = createValuesStore()
  const tags: string[] = []
  const f = reusable((n: number) => n, {
    name: 'f',
    store,
    tags: (n) => {
      tags[0] = `n:${n}`
      return tags
    },
  })
  f(1)
  f(2)
  await refreshReusableValues({ tag: 'n:1' }, { store })
  expect(f.statistics()).toMatchObject({ entries: 1, hits: 0 })
  f(2)
  expect(f.statistics()).toMatchObject({ entries: 1, hits: 1 })
})

describe('refreshing without naming a store', () => {
  test.each([
    ['all', undefined],
    ['by function', { function: 'rate' }],
    ['by parameters', { function: 'rate', params: ['EUR'] }],
    ['by tag', { tag: 'customers' }],
  ] as const)('%s drops it in every store of the process', async (_, target) => {
    using one = setup()
    using other = setup()
    const rate = reusable((_from: string) => ({ at: 1 }), {
      name: 'rate',
      tags: () => ['customers'],
    })
    using _rate = rate
    for (const it of [one, other]) {
      it.rate('EUR')
      it.customer(1)
    }
    rate('EUR')
    await refreshReusableValues(target)
    const left = [
      target !== undefined && 'function' in target ? 1 : 0,
      target === undefined || 'function' in target ? 0 : 1,
    ]
    expect([entriesOf(one), entriesOf(other)]).toEqual([left, left])
    expect(rate.statistics().entries).toBe(0)
  })

  test('leaves closed stores alone, and tells a port that stores share once', async () => {
    const bus = createInProcessRefresh()
    const told: RefreshMessage[] = []
    using _told = bus.subscribe((message) => told.push(message))
    using one = setup(bus)
    using other = setup(bus)
    const closed = setup()
    closed.store.close()
    expect([...openValuesStores()]).toEqual(
      expect.arrayContaining([defaultValuesStore, one.store, other.store]),
    )
    expect([...openValuesStores()]).not.toContain(closed.store)
    await refreshReusableValues()
    expect(told).toMatchObject([{ scope: { kind: 'all' } }])
  })

  // biome-ignore lint/suspicious/noExplicitAny: plain JavaScript may pass anything
  type Loose = any

  test.each<[string, Loose, Loose?]>([
    ['the options of a refresh must be an object, not "customers"', 'customers'],
    ['a refresh has no option tags; it has function, params, tag', { tags: ['a'] }],
    ['tag must be a text that is not empty, not an array', { tag: ['a'] }],
    ['function must be a reusable function or its name, not a function', { function: () => 1 }],
    ['params must be an array, not "EUR"', { function: 'rate', params: 'EUR' }],
    ['a refresh must be of everything, of a tag, or of a function', {}],
    ['a refresh must be of everything, of a tag, or of a function', { params: [1] }],
    ['a refresh must be of everything, of a tag, or', { tag: 'a', function: 'rate' }],
    ['store must be a store made by createValuesStore, not an object', undefined, { store: {} }],
  ])('rejects what would drop nothing: %s', async (message, target, options) => {
    using it = setup()
    it.rate('EUR')
    await expect(refreshReusableValues(target, options)).rejects.toThrow(message)
    expect(it.rate.statistics().entries).toBe(1)
  })
})

describe('the port between processes', () => {
  test.each([
    ['all', undefined, [0, 0]],
    ['by function', { function: 'customer' }, [0, 1]],
    ['by parameters', { function: 'customer', params: [1] }, [1, 1]],
    ['by tag', { tag: 'customer:2' }, [1, 1]],
  ])('a refresh %s reaches the stores of other processes', async (_, target, left) => {
    const bus = createInProcessRefresh()
    using here = setup(bus)
    using there = setup(bus)
    using apart = setup()
    for (const it of [here, there, apart]) {
      it.customer(1)
      it.customer(2)
      it.rate('EUR')
    }
    await refreshReusableValues(target, { store: here.store })
    expect(entriesOf(here)).toEqual(left)
    expect(entriesOf(there)).toEqual(left)
    expect(entriesOf(apart)).toEqual([2, 1])
  })

  test('messages survive JSON, and one’s own coming back is ignored', async () => {
    const sent: RefreshMessage[] = []
    const receivers: ((message: RefreshMessage) => void)[] = []
    using it = setup({
      async publish(message) {
        sent.push(JSON.parse(JSON.stringify(message)))
      },
      subscribe(receive) {
        receivers.push(receive)
        return { [Symbol.dispose]: () => void receivers.splice(receivers.indexOf(receive), 1) }
      },
    })
    it.customer({ at: new Date(5), n: 3n })
    await it.customer.refreshFor({ n: 3n, at: new Date(5) })
    expect(it.customer.statistics().entries).toBe(0)
    it.customer({ at: new Date(5), n: 3n })
    for (const message of sent) for (const receive of receivers) receive(message)
    expect(it.customer.statistics().entries).toBe(1)
    for (const message of sent) {
      for (const receive of receivers) receive({ ...message, origin: 'another process' })
    }
    expect(it.customer.statistics().entries).toBe(0)
    it.store.close()
    expect(receivers).toEqual([])
  })

  test('a port that fails is told to the caller, the values here being dropped all the same', async () => {
    using it = setup({
      publish: () => Promise.reject(new Error('no connection')),
      subscribe: () => ({ [Symbol.dispose]: () => {} }),
    })
    it.rate('EUR')
    const refreshed = it.rate.refresh()
    expect(it.rate.statistics().entries).toBe(0)
    await expect(refreshed).rejects.toMatchObject({
      errors: [new Error('no connection')],
      message: expect.stringContaining('other processes were not told'),
    })
  })

  test('a port that throws is told like one that fails', async () => {
    using it = setup({
      publish() {
        throw new Error('closed')
      },
      subscribe: () => ({ [Symbol.dispose]: () => {} }),
    })
    await expect(it.rate.refresh()).rejects.toMatchObject({ errors: [new Error('closed')] })
  })

  test('a port connected twice lasts until both connections are disposed', async () => {
    const bus = createInProcessRefresh()
    using here = setup(bus)
    using there = setup(bus)
    const again = here.store.connectRefresh(bus)
    again[Symbol.dispose]()
    again[Symbol.dispose]()
    here.rate('EUR')
    await refreshReusableValues(undefined, { store: there.store })
    expect(entriesOf(here)).toEqual([0, 0])
  })

  test('a port of all stores is one of those that are opened later, and is told once', async () => {
    const bus = createInProcessRefresh()
    const told: RefreshMessage[] = []
    using _told = bus.subscribe((message) => told.push(message))
    using here = setup()
    using elsewhere = setup(bus)
    const connection = connectAllStores(bus)
    using later = setup()
    for (const it of [here, elsewhere, later]) it.rate('EUR')
    await refreshReusableValues({ function: 'rate' }, { store: elsewhere.store })
    expect([here, elsewhere, later].map(entriesOf)).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
    await later.rate.refresh()
    await refreshReusableValues()
    expect(told.map(({ scope }) => scope.kind)).toEqual(['function', 'function', 'all'])
    connection[Symbol.dispose]()
    here.rate('EUR')
    await elsewhere.rate.refresh()
    expect(entriesOf(here)).toEqual([0, 1])
  })

  test('a disconnected port hears and says nothing', async () => {
    const bus = createInProcessRefresh()
    using here = setup()
    using there = setup(bus)
    const connection = here.store.connectRefresh(bus)
    connection[Symbol.dispose]()
    connection[Symbol.dispose]()
    here.rate('EUR')
    there.rate('EUR')
    await refreshReusableValues(undefined, { store: here.store })
    expect(entriesOf(there)).toEqual([0, 1])
    here.rate('EUR')
    await refreshReusableValues(undefined, { store: there.store })
    expect(entriesOf(here)).toEqual([0, 1])
  })
})
