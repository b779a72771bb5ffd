import { expect, test } from 'vitest'
import {
  createManualValuesClock,
  createValuesStore,
  type RefreshPort,
  type RemoteCall,
  type RemoteTier,
  type RemoteValue,
  refreshReusableValues,
  reusable,
  runWithValuesIdentity,
} from './mod.ts'
import { ValuesStore } from './store.ts'

function setup(fetch: (call: RemoteCall) => Promise<RemoteValue | undefined>) {
  const clock = createManualValuesClock()
  const store = createValuesStore({ clock })
  const offered: [RemoteCall, RemoteValue][] = []
  const calls: RemoteCall[] = []
  const tier: RemoteTier = {
    fetch(call) {
      calls.push(call)
      return fetch(call)
    },
    async offer(call, value) {
      offered.push([call, value])
    },
  }
  const it = {
    clock,
    store,
    calls,
    offered,
    tier,
  }
  let runs = 0
  const f = reusable(async (key: string, _signal?: AbortSignal) => `${key} ${++runs}`, {
    name: 'f',
    store,
    tier,
    tags: (value) => [`here:${value}`],
  })
  return Object.assign(it, { f, [Symbol.dispose]: () => store.close() })
}

test('a value the other side has is remembered here, with the age it already has', async () => {
  using it = setup(async () => ({ value: 'remote', ageMs: 19 * 60_000, tags: ['there'] }))
  expect([await it.f('a'), await it.f('a')]).toEqual(['remote', 'remote'])
  expect(it.calls).toHaveLength(1)
  it.clock.advance(60_000)
  await it.f('a')
  expect(it.calls).toHaveLength(2)
  await refreshReusableValues({ tag: 'there' }, { store: it.store })
  expect(it.f.statistics()).toMatchObject({ entries: 0, drops: { age: 1, refresh: 1 } })
})

test('a value that is too old already when it arrives is not used again', async () => {
  using it = setup(async () => ({ value: 'remote', ageMs: 20 * 60_000, tags: [] }))
  await it.f('a')
  await it.f('a')
  expect(it.calls).toHaveLength(2)
})

test('a value is used no longer than there is left of it on the other side', async () => {
  using it = setup(async () => ({ value: 'remote', ageMs: 0, leftMs: 30_000, tags: [] }))
  await it.f('a')
  it.clock.advance(29_000)
  await it.f('a')
  expect(it.calls).toHaveLength(1)
  it.clock.advance(1_000)
  await it.f('a')
  expect(it.calls).toHaveLength(2)
})

test('a value that the other side does not remember is not remembered here', async () => {
  using it = setup(async () => ({ value: 'remote', ageMs: 0, leftMs: 0, tags: [] }))
  await it.f('a')
  expect(it.f.statistics()).toMatchObject({ entries: 0, outdated: 1 })
})

test('where nothing can be computed here, a failing tier is the failure of the call', async () => {
  using it = setup(() => Promise.reject(new Error('no connection')))
  Object.assign(it.tier, { isRequired: true })
  await expect(it.f('a')).rejects.toThrow('no connection')
  expect(it.f.statistics()).toMatchObject({ tierFailures: 1, failures: 1, entries: 0 })
})

test('what the other side has not is computed here and offered to it', async () => {
  using it = setup(async () => undefined)
  expect([await it.f('a'), await it.f('a')]).toEqual(['a 1', 'a 1'])
  expect(it.offered).toEqual([
    [
      expect.objectContaining({ name: 'f', params: '["a"]' }),
      { value: 'a 1', ageMs: 0, tags: ['here:a 1'] },
    ],
  ])
})

test('a failing tier is counted and the function computes', async () => {
  using it = setup(() => Promise.reject(new Error('no connection')))
  expect(await it.f('a')).toBe('a 1')
  expect(it.f.statistics()).toMatchObject({ tierFailures: 1, failures: 0, entries: 1 })
})

test('a tier that throws at once is counted too', async () => {
  using it = setup(() => {
    throw new Error('no connection')
  })
  it.tier.offer = () => {
    throw new Error('no connection')
  }
  expect(await it.f('a')).toBe('a 1')
  expect(it.f.statistics()).toMatchObject({ tierFailures: 2, failures: 0, entries: 1 })
})

test('what a refresh has outdated, or may not be shared, is not offered', async () => {
  using it = setup(async () => undefined)
  const outdated = it.f('a')
  await it.f.refresh()
  await outdated
  expect(it.offered).toEqual([])
  const refused = reusable(async () => new Map(), {
    name: 'refused',
    store: it.store,
    tier: it.tier,
  })
  await expect(refused()).rejects.toThrow('cannot be frozen')
  expect(it.offered).toEqual([])
})

test('the tags of a value are asked for once', async () => {
  using it = setup(async () => undefined)
  let asked = 0
  const f = reusable(async () => 1, {
    name: 'once',
    store: it.store,
    tier: it.tier,
    tags: () => [`${++asked}`],
  })
  await f()
  expect(asked).toBe(1)
  expect(it.offered).toMatchObject([[{}, { tags: ['1'] }]])
})

test('the other side is told for whom, so that rights never leak there either', async () => {
  using it = setup(async ({ user, privileged }) => ({
    value: `${user} ${privileged}`,
    ageMs: 0,
    tags: [],
  }))
  const asAnn = (privileged: boolean) =>
    runWithValuesIdentity({ user: 'ann', privileged }, () => it.f('a'))
  expect([await asAnn(false), await asAnn(true), await it.f('a')]).toEqual([
    'ann false',
    'ann true',
    'undefined false',
  ])
})

test('when everybody has left, the request is aborted and nothing is computed here', async () => {
  using it = setup(
    ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
  )
  const abort = new AbortController()
  const call = it.f('a', abort.signal)
  abort.abort(new Error('left'))
  await expect(call).rejects.toThrow('left')
  expect(it.calls[0]?.signal?.aborted).toBe(true)
  expect(it.offered).toEqual([])
  expect(it.f.statistics()).toMatchObject({ aborted: 1, tierFailures: 0, failures: 0 })
})

test('two tiers connected by the port each remember, and a refresh empties both', async () => {
  using server = createValuesStore()
  using client = createValuesStore()
  let runs = 0
  const rate = reusable(async (key: string) => ({ key, run: ++runs }), {
    name: 'rate',
    store: server,
  })
  const tier: RemoteTier = {
    async fetch({ params }) {
      const [key] = JSON.parse(params) as [string]
      const value = await rate(key)
      return { value, ageMs: rate.statistics().ageMsMean, tags: [] }
    },
    async offer() {},
  }
  const remoteRate = reusable(
    async (_key: string): Promise<{ key: string; run: number }> => {
      throw new Error('only the server can compute')
    },
    { name: 'rate', store: client, tier },
  )
  expect([(await remoteRate('EUR')).run, (await remoteRate('EUR')).run]).toEqual([1, 1])
  expect([rate.statistics().hits, remoteRate.statistics().hits]).toEqual([0, 1])
  await remoteRate.refresh()
  expect((await remoteRate('EUR')).run).toBe(1)
  expect(rate.statistics().hits).toBe(1)
})

/** A port that takes as long as it is let, and a tier that knows nothing of a refresh before the port has taken it. */
function setupSlowly() {
  const taken = Promise.withResolvers<void>()
  const port: RefreshPort = {
    publish: () => taken.promise,
    subscribe: () => ({ [Symbol.dispose]: () => {} }),
  }
  let value = 'old'
  const it = setup(async () => ({ value, ageMs: 0, tags: ['t'] }))
  return Object.assign(it, {
    port,
    take() {
      value = 'new'
      taken.resolve()
    },
  })
}

test.each(['its own port', 'the port of a client'])(
  'what the other side answers until it is told of a refresh is forgotten with it: told by %s',
  async (by) => {
    using it = setupSlowly()
    if (by === 'its own port') it.store.connectRefresh(it.port)
    const client = by === 'its own port' ? undefined : it.port
    const refreshed = ValuesStore.refresh([it.store], { kind: 'tag', tag: 't' }, client)
    expect(await it.f('a')).toBe('old')
    it.take()
    await refreshed
    expect(await it.f('a')).toBe('new')
  },
)

test('an answer that is on its way as the other side is told of a refresh is not remembered', async () => {
  const answers: PromiseWithResolvers<RemoteValue>[] = []
  using it = setup(() => {
    const answer = Promise.withResolvers<RemoteValue>()
    answers.push(answer)
    return answer.promise
  })
  const port: RefreshPort = {
    publish: async () => {},
    subscribe: () => ({ [Symbol.dispose]: () => {} }),
  }
  const refreshed = ValuesStore.refresh([it.store], { kind: 'all' }, port)
  const before = it.f('a')
  await refreshed
  const after = it.f('a')
  for (const [n, answer] of answers.entries()) answer.resolve({ value: n, ageMs: 0, tags: [] })
  expect(await Promise.all([before, after])).toEqual([0, 1])
  expect(await it.f('a')).toBe(1)
})
