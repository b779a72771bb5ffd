/** Expressions that take long take turns with all else, however many starts come at once. */
import { setImmediate as othersTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { UncheckedStart } from '../domain/sql-start.ts'
import { Checks } from '../schemas/checks.ts'
import { startCommand } from '../testing/start-command.ts'
import { createCheckSqlStarts } from './check-sql-starts.ts'
import { checkInTurn } from './check-start.ts'

const half = 'a'.repeat(8_000)
const json = JSON.stringify({ text: 'a'.repeat(40_000), part: `${half}b${half}` })
const params = { inline: Buffer.from(json), type: '' }
const terms = { name: 'test.job', lane: 1 } as const
const perKey = { method: 'test.job', keyExpression: 'params.text.contains(params.part)' }
const limitsOf = () => ({ whole: undefined, perKey }) as never

test('of starts in one request', async () => {
  const methods = { peek: () => terms, find: async () => terms } as never
  const none = { store: {} as never, attachments: {} as never }
  const options = { ...none, methods, checks: new Checks(), limitsOf }
  const check = () =>
    checkInTurn(options, { user: 'dev', roles: ['user'] } as never, startCommand({ params }))
  const [first, second] = [check(), check()]
  expect(first).toMatchObject({ limitKey: 'false' })
  // It waits for its turn.
  expect(second).toBeInstanceOf(Promise)
  expect(await second).toMatchObject({ limitKey: 'false' })
})

test('of starts by SQL', async () => {
  const said: string[] = []
  const start = { ...startCommand({ params }), id: 'a' }
  const unchecked: UncheckedStart[] = [start, { ...start, id: 'b' }]
  const store = {
    readUnchecked: async () => unchecked.splice(0),
    queue: async () => [],
    fail: async () => [],
  }
  const check = createCheckSqlStarts({
    store,
    methods: { find: async () => terms },
    checks: new Checks(),
    limitsOf() {
      said.push('asked')
      void othersTurn().then(() => said.push('others'))
      return limitsOf()
    },
    changed: () => {},
  })
  await check(new AbortController().signal)
  expect(said.slice(0, 3)).toEqual(['asked', 'others', 'asked'])
})
