import { expect, test } from 'vitest'
import { Lane } from '../domain/lane.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'
import type { MethodStore } from '../ports/executors.ts'
import { Methods } from './methods.ts'

const definition = (name: string): MethodDefinition => ({
  name,
  lane: 1,
  description: 'about it',
  paramsSchema: '{"type":"object"}',
  resultSchema: 'true',
})

/** A store that counts what it is asked. */
function createStore() {
  const announced = new Map<string, MethodDefinition>()
  const asked: string[] = []
  const store: MethodStore = {
    async announce(namespace, definitions) {
      for (const each of definitions) announced.set(`${namespace}/${each.name}`, each)
      return { earlier: new Map(), limitsChanged: false }
    },
    async find(methods) {
      asked.push(...methods.map(({ name }) => name))
      return methods.map(({ namespace, name }) => announced.get(`${namespace}/${name}`))
    },
    list: async () => [],
    names: async () => [],
    forgetEarlier: async () => {},
  }
  return { store, asked }
}

test('what was announced last is kept up to a bound, and the rest is looked up again', async () => {
  const { store, asked } = createStore()
  const methods = new Methods(store, 100)
  const names = Array.from({ length: 1_000 }, (_, i) => `m${i}`)
  for (const [i, name] of names.entries()) await methods.announce(`ns${i % 10}`, [definition(name)])
  const kept = names.filter((name, i) => methods.peek(`ns${i % 10}`, name) !== undefined)
  expect(kept.length).toBeLessThanOrEqual(100)
  expect(kept).toContain('m999')
  expect(await methods.find('ns0', 'm0')).toMatchObject({ name: 'm0', lane: 1 })
  expect(methods.peek('ns0', 'm0')).toBeDefined()
  expect(asked).toEqual(['m0'])
})

test('what is used stays, however much is announced beside it', async () => {
  const { store } = createStore()
  const methods = new Methods(store, 100)
  await methods.announce('ns', [definition('hot')])
  for (let i = 0; i < 1_000; i += 1) {
    await methods.announce('ns', [definition(`m${i}`)])
    expect(methods.peek('ns', 'hot')).toBeDefined()
  }
})

test('descriptions and schemas of results are not kept', async () => {
  const methods = new Methods(createStore().store)
  await methods.announce('ns', [definition('a')])
  expect(Object.keys(methods.peek('ns', 'a') ?? {})).not.toContain('resultSchema')
  expect(JSON.stringify(methods.peek('ns', 'a'))).not.toMatch(/about it|true/)
})

test('a method nobody announced is known to be unknown', async () => {
  const methods = new Methods(createStore().store)
  expect(await methods.find('ns', 'a')).toBeUndefined()
})

test('what another replica has announced anew is known after a refresh, and so is what was used long ago', async () => {
  const { store } = createStore()
  const methods = new Methods(store, 100)
  const elsewhere = new Methods(store)
  for (let i = 0; i < 60; i += 1) await methods.announce('ns', [definition(`m${i}`)])
  const changed = ['m0', 'm59'].map((name) => ({ ...definition(name), lane: Lane.work }))
  await elsewhere.announce('ns', changed)
  expect(methods.peek('ns', 'm59')).toMatchObject({ lane: 1 })
  await methods.refresh()
  for (const name of ['m0', 'm59']) expect(methods.peek('ns', name)).toMatchObject({ lane: 3 })
})

test('what is announced here while it is read again is not put back by what was read', async () => {
  const { store } = createStore()
  const read = Promise.withResolvers<void>()
  const slow: MethodStore = {
    ...store,
    async find(names) {
      const found = await store.find(names)
      await read.promise
      return found
    },
  }
  const methods = new Methods(slow)
  await methods.announce('ns', [definition('a')])
  const refreshed = methods.refresh()
  await methods.announce('ns', [{ ...definition('a'), lane: 3 }])
  read.resolve()
  await refreshed
  expect(methods.peek('ns', 'a')).toMatchObject({ lane: 3 })
})

test('large schemas push out what is not used', async () => {
  const { store } = createStore()
  const methods = new Methods(store)
  const paramsSchema = JSON.stringify({ title: 'x'.repeat(65_000) })
  for (let i = 0; i < 600; i += 1) {
    await methods.announce('ns', [{ ...definition(`m${i}`), paramsSchema }])
  }
  expect(methods.peek('ns', 'm0')).toBeUndefined()
  expect(methods.peek('ns', 'm599')).toBeDefined()
})
