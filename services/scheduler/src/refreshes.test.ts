import { createInProcessBus } from '@offstage/kit/bus'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { foldRefreshes } from './store/fold-refreshes.ts'
import { connectRefreshes, type ScopeDraft, scopesOf } from './testing/refreshes.ts'
import { setup } from './testing/setup.ts'

const RATES = { function: 'rates' }
const RATE = { function: 'rates', params: '["EUR"]' }
const TAG = { tag: 'customer:1' }
const AGE = {
  name: 'age_refreshes',
  text: "UPDATE offstage.value_refreshes SET refresh_time = now() - interval '1 hour' WHERE namespace = $1",
}
const COUNT = {
  name: 'count_refreshes',
  text: 'SELECT count(*)::int AS count FROM offstage.value_refreshes WHERE namespace = $1',
}

async function setupRefreshes(options: Parameters<typeof setup>[0] = {}) {
  const it = await setup({ ...options, config: { refreshSweepMs: 200, ...options.config } })
  const { address } = it.scheduler
  const calls = connectRefreshes(address)
  return {
    ...it,
    ...calls,
    address,
    async [Symbol.asyncDispose]() {
      calls[Symbol.dispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

/** One for all tests, each in a namespace of its own. */
let it: Awaited<ReturnType<typeof setupRefreshes>>
beforeAll(async () => {
  it = await setupRefreshes()
})
afterAll(() => it[Symbol.asyncDispose]())

let spaces = 0
function inNamespace(calls: Pick<typeof it, 'refresh' | 'list' | 'watch'> = it) {
  const namespace = `space-${++spaces}`
  return {
    namespace,
    refresh: (scopes: readonly ScopeDraft[]) => calls.refresh(scopes, namespace),
    list: (after = 0) => calls.list(after, namespace),
    watch: (after = 0) => calls.watch(after, namespace),
  }
}

test('what is refreshed is told to who asks after an epoch, each scope once, newest last (row C6)', async () => {
  const space = inNamespace()
  expect(await space.list()).toMatchObject({ epoch: 0n, all: false, refreshes: [] })
  const first = await space.refresh([RATES])
  await space.refresh([RATE, TAG])
  const last = await space.refresh([RATES])
  expect(scopesOf(await space.list())).toEqual([RATE, TAG, RATES])
  expect(scopesOf(await space.list(first))).toEqual([RATE, TAG, RATES])
  expect(await space.list(last)).toMatchObject({ epoch: BigInt(last), all: false, refreshes: [] })
})

test('a refresh of everything is told as such, and nothing before it one by one', async () => {
  const space = inNamespace()
  const before = await space.refresh([TAG])
  const all = await space.refresh([{}])
  await space.refresh([RATES])
  expect(await space.list(before)).toMatchObject({ all: true, refreshes: [] })
  const after = await space.list(all)
  expect([after.all, scopesOf(after)]).toEqual([false, [RATES]])
})

test('namespaces have epochs of their own', async () => {
  const [space, other] = [inNamespace(), inNamespace()]
  await space.refresh([RATES])
  expect(await other.list()).toMatchObject({ epoch: 0n, refreshes: [] })
  expect(scopesOf(await space.list())).toEqual([RATES])
})

test('a watch tells what it missed, then what is refreshed, with nothing twice', async () => {
  const space = inNamespace()
  const known = await space.refresh([RATES])
  await space.refresh([TAG])
  using watch = space.watch(known)
  await watch.reached(2)
  await space.refresh([RATE])
  await watch.reached(3)
  expect(watch.answers.map(scopesOf).filter(({ length }) => length > 0)).toEqual([[TAG], [RATE]])
})

test('a watch that begins later makes nobody drop more', async () => {
  const space = inNamespace()
  await space.refresh([{}])
  using watch = space.watch(1)
  await watch.reached(1)
  using later = space.watch(0)
  await later.reached(1)
  await space.refresh([TAG])
  await Promise.all([watch.reached(2), later.reached(2)])
  expect(later.answers[0]).toMatchObject({ all: true })
  expect(watch.answers.some(({ all }) => all)).toBe(false)
})

test('what no hint tells is found by the sweep, and counted', async () => {
  await using none = createInProcessBus()
  await using deaf = await setupRefreshes({ database: it.database, bus: none })
  using watch = deaf.watch()
  await watch.reached(0)
  await it.refresh([TAG])
  await watch.reached(1)
  expect(watch.answers.flatMap(scopesOf)).toEqual([TAG])
  const healed = deaf.scheduler.measures
    .flatMap(({ metrics }) => metrics)
    .find(({ name }) => name === 'offstage_value_refreshes_healed_total')
  expect(healed?.read()).toBe(1)
})

test('scopes that are old or too many are forgotten, and who does not know them drops all', async () => {
  const space = inNamespace()
  await space.refresh([TAG])
  await it.database.query(AGE, [space.namespace])
  await space.refresh([RATES])
  await foldRefreshes(it.database)
  expect(await space.list(0)).toMatchObject({ epoch: 2n, all: true })
  expect(scopesOf(await space.list(1))).toEqual([RATES])

  const many = Array.from({ length: 1_050 }, (_, n) => ({ tag: `customer:${n}` }))
  for (let from = 0; from < many.length; from += 100)
    await space.refresh(many.slice(from, from + 100))
  expect(await space.list(2)).toMatchObject({ epoch: 13n, all: true, refreshes: [] })
  expect((await space.list(3)).refreshes).toHaveLength(950)
  await foldRefreshes(it.database)
  const { rows } = await it.database.query<{ count: number }>(COUNT, [space.namespace])
  expect(rows[0]?.count).toBe(1_000)
  expect(await space.list(1)).toMatchObject({ epoch: 13n, all: true })
  expect((await space.list(12)).refreshes).toHaveLength(50)
})

test('an epoch that the database has not reached yet is of another one: all is dropped', async () => {
  const space = inNamespace()
  await space.refresh([TAG])
  expect(await space.list(7)).toMatchObject({ epoch: 1n, all: true })
})

test('a thousand refreshes at once are a few epochs, and a watch is told of them in as few answers', async () => {
  const space = inNamespace()
  using watch = space.watch()
  await watch.reached(0)
  const scopes = Array.from({ length: 1_000 }, (_, n) => ({ tag: `customer:${n % 100}` }))
  const epochs = await Promise.all(scopes.map((scope) => space.refresh([scope])))
  const last = Math.max(...epochs)
  await watch.reached(last)
  expect(last).toBeLessThan(500)
  const told = watch.answers.filter(({ refreshes }) => refreshes.length > 0)
  expect(told.length).toBeLessThanOrEqual(last)
  expect(new Set(watch.answers.flatMap(scopesOf).map(({ tag }) => tag)).size).toBe(100)
})

test.each([
  ['scopes', []],
  ['scopes', Array.from({ length: 101 }, () => TAG)],
  ['scopes[1].function', [TAG, { function: 'x'.repeat(201) }]],
  ['scopes[0].params', [{ function: 'rates', params: 'x'.repeat(1_001) }]],
  ['scopes[0].params', [{ params: '[]' }]],
  ['scopes[0].params must be a list', [{ function: 'rates', params: 'EUR' }]],
  ['scopes[0].params must be a list', [{ function: 'rates', params: '["EUR",["bigint","x"]]' }]],
  ['scopes[0].params must be a list', [{ function: 'rates', params: '[["structure",7]]' }]],
  ['scopes[0].tag', [{ tag: 'x'.repeat(201) }]],
  ['scopes[0].tag', [{ tag: 'a\0' }]],
  ['scopes[0].tag', [{ tag: 'a', function: 'rates' }]],
])('a scope that is none is refused, naming %s', async (field, scopes) => {
  const space = inNamespace()
  await expect(space.refresh(scopes)).rejects.toThrow(field)
  expect(await space.list()).toMatchObject({ epoch: 0n })
})

test('readers neither refresh nor hear, and an epoch that is none is refused', async () => {
  const space = inNamespace()
  using reader = connectRefreshes(it.address, 'rita:reader')
  await expect(reader.refresh([TAG])).rejects.toThrow('PERMISSION_DENIED')
  await expect(reader.list()).rejects.toThrow('PERMISSION_DENIED')
  using watch = reader.watch()
  await expect(watch.reached(0)).rejects.toThrow('PERMISSION_DENIED')
  await expect(space.list(-1)).rejects.toThrow('after_epoch')
  using user = connectRefreshes(it.address, 'ann')
  expect(await inNamespace(user).refresh([TAG])).toBe(1)
})
