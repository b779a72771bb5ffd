import { expect, test } from 'vitest'
import {
  createValuesSession,
  createValuesStore,
  observeReusableValues,
  reusable,
  runInCallScope,
  runWithValuesIdentity,
} from './mod.ts'

// biome-ignore lint/suspicious/noExplicitAny: plain JavaScript may pass anything
type Loose = any

const wrap = (options: unknown) => () =>
  reusable(() => 1, { name: 'wrapped', ...(options as object) } as Loose)

test.each<[string, () => unknown]>([
  ['reusable has no option maxAge; it has name, lifetime', wrap({ maxAge: 1000 })],
  ['lifetime must be one of call, session, not "request"', wrap({ lifetime: 'request' })],
  ['freeze must be one of deep, shallow, none, not "no"', wrap({ freeze: 'no' })],
  ['unfreezable must be one of error, copy, bypass, not true', wrap({ unfreezable: true })],
  ['maxAgeMs must be milliseconds above 0, not "5"', wrap({ maxAgeMs: '5' })],
  ['maxAgeMs must be milliseconds above 0, not 0', wrap({ maxAgeMs: 0 })],
  ['idleMs must be milliseconds above 0, not -1', wrap({ idleMs: -1 })],
  ['idleMs must be milliseconds above 0, or false, not null', wrap({ idleMs: null })],
  ['staleIfErrorMs must be milliseconds, 0 or more, not NaN', wrap({ staleIfErrorMs: NaN })],
  ['staleWhileRevalidateMs must be', wrap({ staleWhileRevalidateMs: '5' })],
  ['tags must be a function, not an array', wrap({ tags: ['a'] })],
  ['bytesOf must be a function, not 5', wrap({ bytesOf: 5 })],
  ['tier must be a tier with fetch() and offer(), not an object', wrap({ tier: {} })],
  ['session must be a session made by createValuesSession', wrap({ session: 'ann' })],
  ['store must be a store made by createValuesStore, not an object', wrap({ store: {} })],
  ['name must be a text that is not empty, not ""', wrap({ name: '' })],
  [
    'the options of reusable must be an object, not "name"',
    () => reusable(() => 1, 'name' as Loose),
  ],
  ['what to wrap must be a function, not undefined', () => reusable(undefined as Loose)],
  ['bytesMax must be a whole number above 0, not 1.5', () => createValuesStore({ bytesMax: 1.5 })],
  ['heapRatioMax must be from 0 to 1, not 85', () => createValuesStore({ heapRatioMax: 85 })],
  ['resolutionMs must be', () => createValuesStore({ resolutionMs: 0 })],
  ['clock must be a clock with', () => createValuesStore({ clock: Date.now as Loose })],
  ['refreshPort must be a port', () => createValuesStore({ refreshPort: {} as Loose })],
  ['createValuesSession has no option id', () => createValuesSession({ id: 1 } as Loose)],
  ['user must be a text, not 7', () => createValuesSession({ user: 7 } as Loose)],
  ['privileged must be true', () => runWithValuesIdentity({ privileged: 'no' } as Loose, () => 1)],
  ['user must be a text, not 7', () => runInCallScope(() => 1, { user: 7 } as Loose)],
  ['store must be a store', () => observeReusableValues({ store: {} as Loose })],
])('a wrong option is refused: %s', (message, call) => {
  expect(call).toThrow(message)
})

test('options that are undefined count as not given', () => {
  using store = createValuesStore({ bytesMax: undefined })
  const options = { name: undefined, maxAgeMs: undefined, freeze: undefined, store }
  const f = reusable(function rates() {
    return 1
  }, options as Loose)
  expect([f(), f.reusableName]).toEqual([1, 'rates'])
  expect(runWithValuesIdentity({ user: undefined }, () => 1)).toBe(1)
})
