/** A hello, or a credit, that cannot be meant is refused, naming what is wrong (guarantee 6); the next one is heard. */
import type { Hello, MethodDefinition } from '@offstage/proto/executor'
import { LIMITS } from '@offstage/proto/limits'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Draft, millis } from './testing/draft.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor } from './testing/scripted-executor.ts'

let it: Awaited<ReturnType<typeof start>>
beforeAll(async () => {
  it = await start()
})
afterAll(() => it[Symbol.asyncDispose]())

/** What became of a hello: what the scheduler had against it, or `welcome`. */
async function answerTo(hello: Draft<Hello>): Promise<string> {
  const lanes = hello.lanes ?? [{ lane: 1, slots: 10 }]
  await using executor = await attachExecutor(it.address, { slots: 0, hello: { lanes, ...hello } })
  return executor.error?.message ?? 'welcome'
}

const method = (given: Draft<MethodDefinition>) => ({ methods: [{ name: 'a', ...given }] })
const text = (length: number) => 'x'.repeat(length)
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, '']))
const methods = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `m${i}` }))
const schema = (bytes: number) => JSON.stringify({ title: text(bytes - '{"title":""}'.length) })

describe('each limit of a hello holds: what is at it is taken, what is one beyond is refused', () => {
  test.each<[string, Draft<Hello>, Draft<Hello>]>([
    ['hello.name', { name: text(200) }, { name: text(201) }],
    ['hello.software', { software: text(200) }, { software: text(201) }],
    ['hello.labels', { labels: labels(32) }, { labels: labels(33) }],
    ['hello.labels[x', { labels: { [text(63)]: '' } }, { labels: { [text(64)]: '' } }],
    ['hello.labels[a]', { labels: { a: text(255) } }, { labels: { a: text(256) } }],
    ['hello.methods', { methods: methods(10_000) }, { methods: methods(10_001) }],
    ['hello.methods', method({}), { methods: [] }],
    ['hello.methods[0].name', method({ name: text(200) }), method({ name: text(201) })],
    [
      'hello.methods[0].description',
      method({ description: text(1_000) }),
      method({ description: text(1_001) }),
    ],
    [
      'hello.methods[0].params_schema',
      method({ paramsSchema: schema(65_536) }),
      method({ paramsSchema: schema(65_537) }),
    ],
    [
      'hello.methods[0].result_schema',
      method({ resultSchema: schema(65_536) }),
      method({ resultSchema: schema(65_537) }),
    ],
    [
      'hello.methods[0].startable_by.users',
      method({ startableBy: { users: Array(100).fill('a') } }),
      method({ startableBy: { users: Array(101).fill('a') } }),
    ],
    [
      'hello.methods[0].startable_by.users[0]',
      method({ startableBy: { users: [text(255)] } }),
      method({ startableBy: { users: [text(256)] } }),
    ],
    [
      'hello.methods[0].startable_by.users[1]',
      method({ startableBy: { users: ['*'] } }),
      method({ startableBy: { users: ['*', ''] } }),
    ],
    [
      'hello.methods[0].startable_by.roles[0]',
      method({ startableBy: { roles: ['operator'] } }),
      method({ startableBy: { roles: ['boss'] } }),
    ],
    ['hello.methods[0].startable_by', method({}), method({ startableBy: {} })],
    [
      'hello.lanes[0].slots',
      { lanes: [{ lane: 1, slots: LIMITS.laneSlotsMax }] },
      { lanes: [{ lane: 1, slots: LIMITS.laneSlotsMax + 1 }] },
    ],
    ['hello.lanes[0].slots', {}, { lanes: [{ lane: 1, slots: 0 }] }],
    ['hello.lanes[0].slots', {}, { lanes: [{ lane: 1, slots: -1 }] }],
    [
      'hello.methods[0].deadlines.attempt',
      method({ deadlines: { attempt: millis(24 * 86_400_000) } }),
      method({ deadlines: { attempt: millis(24 * 86_400_000 + 1) } }),
    ],
    [
      'hello.methods[0].retry_policy.max_attempts',
      method({ retryPolicy: { maxAttempts: 1_000 } }),
      method({ retryPolicy: { maxAttempts: 1_001 } }),
    ],
  ])('%s', async (field, atLimit, beyond) => {
    expect(await answerTo(atLimit)).toBe('welcome')
    expect(await answerTo(beyond)).toContain(`INVALID_ARGUMENT: ${field}`)
  })
})

test.each<[string, Draft<Hello>]>([
  [
    'hello.methods[1].name is announced twice: test.job',
    { methods: [{ name: 'test.job' }, { name: 'test.job' }] },
  ],
  [
    'hello.methods[0].lane is TASK, of which this session announces no slots: reports.build',
    method({ name: 'reports.build', lane: 2 }),
  ],
  ['hello.methods[0].lane is not a known value: a', method({ lane: 9 as never })],
  ['hello.methods[0].params_schema must be a JSON Schema', method({ paramsSchema: '{not json' })],
  ['hello.methods[0].params_schema must be a JSON Schema', method({ paramsSchema: '[]' })],
  ['hello.methods[0].result_schema must be a JSON Schema', method({ resultSchema: '"string"' })],
  ['hello.lanes must be at least one', { lanes: [] }],
  ['hello.lanes[0].lane must be INLINE, TASK, WORK or PROCESS', { lanes: [{ lane: 0, slots: 1 }] }],
  [
    'hello.lanes[1].lane is INLINE once more',
    { lanes: Array.from({ length: 2 }, () => ({ lane: 1, slots: 1 })) },
  ],
  ['hello.name must not contain a NUL', { name: 'a\0b' }],
  ['hello.session_id must be a lower-case UUID', { sessionId: 'me' }],
])('%s', async (message, hello) => {
  expect(await answerTo(hello)).toContain(message)
})

test.each(['true', 'false', '{}', '{"type":"object"}', ''])(
  'a schema may be %j',
  async (paramsSchema) => {
    expect(await answerTo(method({ paramsSchema }))).toBe('welcome')
  },
)

test.each([
  ['credits[0].lane is 2, which was not announced', { lane: 2, slots: 1 }],
  ['credits[0].slots is 4 beside 0 free ones, of 3 in all', { lane: 1, slots: 4 }],
  ['credits[0].slots is -1 beside 0 free ones', { lane: 1, slots: -1 }],
] as const)('%s', async (message, credit) => {
  await using executor = await attachExecutor(it.address, {
    slots: 0,
    hello: { lanes: [{ lane: 1, slots: 3 }] },
  })
  executor.say({ credits: [credit] })
  await expect.poll(() => executor.error?.message).toContain(message)
})

test('as many credits as there are slots are taken, and again as they become free', async () => {
  await using executor = await attachExecutor(it.address, {
    methods: ['test.credits'],
    slots: 0,
    hello: { lanes: [{ lane: 1, slots: 2 }] },
  })
  executor.say({ credits: [{ lane: 1, slots: 2 }] })
  for (let count = 1; count <= 5; count += 1) {
    await it.jobs.start({ method: 'test.credits' })
    executor.succeed(...(await executor.assigned(count)).slice(-1))
  }
  expect(executor.error).toBeUndefined()
})

test('many wrong methods are refused in an answer that arrives', async () => {
  const wrong = Array.from({ length: 5_000 }, () => ({ name: '!'.repeat(300) }))
  expect(await answerTo({ methods: wrong })).toContain('hello.methods[0].name must be segments')
})
