import { types } from 'node:util'
import { expect, test } from 'vitest'
import { BROWSER_TYPES, PageContext } from './browser-runtime.ts'

// By a name that is not looked into, so that Node makes it.
const moduleUrl = 'data:text/javascript,export const a = 1'
const namespace: unknown = await import(moduleUrl)

const VALUES: readonly unknown[] = [
  ...[new Date(), new Map(), new Set(), /x/, new WeakMap(), new WeakSet(), Promise.resolve()],
  ...[new ArrayBuffer(1), new SharedArrayBuffer(1), new Uint8Array(1), Object(1), Object('a')],
  ...[Object(1n), Object(Symbol()), Object(true), {}, [], Object.create(null), namespace],
  ...[async () => undefined, () => undefined, null, undefined, 1, 'a', 1n, true],
  ...[Object.create(Date.prototype), Object.setPrototypeOf(new Map(), null)],
]

test('in a browser values are taken for what Node takes them for', () => {
  for (const [name, is] of Object.entries(BROWSER_TYPES)) {
    const inNode = types[name as keyof typeof BROWSER_TYPES] as (value: unknown) => boolean
    expect(
      VALUES.map((value) => is(value)),
      name,
    ).toEqual(VALUES.map((value) => inNode(value)))
  }
})

test('in a browser a context reaches until its callback returns or throws', () => {
  const context = new PageContext<string>()
  const inner = context.run('outer', () => [
    context.run('inner', () => context.getStore()),
    context.getStore(),
  ])
  expect(inner).toEqual(['inner', 'outer'])
  expect(() =>
    context.run('thrown', () => {
      throw new Error('out')
    }),
  ).toThrow('out')
  expect(context.getStore()).toBeUndefined()
})
