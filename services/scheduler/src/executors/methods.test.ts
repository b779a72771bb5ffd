import { expect, test } from 'vitest'
import type { MethodDefinition } from '../domain/method-definition.ts'
import type { MethodStore } from '../ports.ts'
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
    },
    async find(methods) {
      asked.push(...methods.map(({ name }) => name))
      return methods.map(({ namespace, name }) => announced.get(`${namespace}/${name}`))
    },
    list: async () => [],
    names: async () => [],
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

test('descriptions and schemas are not kept', async () => {
  const methods = new Methods(createStore().store)
  await methods.announce('ns', [definition('a')])
  expect(Object.keys(methods.peek('ns', 'a') ?? {})).not.toContain('paramsSchema')
  expect(JSON.stringify(methods.peek('ns', 'a'))).not.toMatch(/about it|object|true/)
})

test('a method nobody announced is known to be unknown', async () => {
  const methods = new Methods(createStore().store)
  expect(await methods.find('ns', 'a')).toBeUndefined()
})
