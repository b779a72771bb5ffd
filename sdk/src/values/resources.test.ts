import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { createValuesStore, reusable, runInCallScope } from './mod.ts'

class Connection {
  [Symbol.dispose](): void {}
}

const HOLDERS: [string, unknown][] = [
  ['holds, at .pool[1], a Connection', { pool: [1, new Connection()] }],
  [
    'holds, at .a.get(b).stream, a Readable',
    { a: new Map([['b', { stream: Readable.from([]) }]]) },
  ],
  ['holds, at .stream, a ReadableStream', { stream: new ReadableStream() }],
  ['is a Connection', new Connection()],
]

test.each(HOLDERS)(
  'a value of a session that %s is refused, whatever is frozen of it',
  (what, value) => {
    using store = createValuesStore()
    for (const freeze of ['deep', 'shallow', 'none'] as const) {
      const opened = reusable(() => value, { name: `opened ${freeze}`, store, freeze })
      expect(opened).toThrow(`cannot be kept in a session: it ${what}, which somebody has to close`)
      expect(opened.statistics()).toMatchObject({ entries: 0, refused: 1 })
    }
  },
)

test('one of a run may hold it', () => {
  using store = createValuesStore()
  const terms = { store, lifetime: 'call', freeze: 'none' } as const
  const opened = reusable(() => ({ connection: new Connection() }), { name: 'opened', ...terms })
  runInCallScope(() => expect(opened()).toBe(opened()))
})

test('an instance that nobody has to close is no such thing', () => {
  using store = createValuesStore()
  class Money {
    readonly amount = 1
  }
  const price = reusable(() => ({ money: new Money() }), { name: 'price', store, freeze: 'none' })
  expect(price()).toBe(price())
})
