import { expect, test } from 'vitest'
import { Checks } from './checks.ts'
import { schemaFault } from './schema-fault.ts'

const violations = (schema: unknown, value: unknown, checks = new Checks()) =>
  checks.violationsOf(JSON.stringify(schema), value, JSON.stringify(value).length)
const fieldsOf = (schema: unknown, value: unknown) =>
  violations(schema, value)?.map(({ field }) => field)

test.each([
  ['https://json-schema.org/draft/2020-12/schema', { prefixItems: [{ type: 'string' }] }],
  ['https://json-schema.org/draft/2019-09/schema', { items: [{ type: 'string' }] }],
  ['http://json-schema.org/draft-07/schema#', { items: [{ type: 'string' }] }],
])('the dialect %s is read as it is meant', ($schema, rest) => {
  const schema = { $schema, type: 'array', ...rest }
  expect(schemaFault(JSON.stringify(schema))).toBeUndefined()
  expect(fieldsOf(schema, ['a', 1])).toBeUndefined()
  expect(fieldsOf(schema, [1])).toEqual(['params.0'])
})

test.each<[string, unknown, unknown, unknown]>([
  ['date', { format: 'date' }, '2026-02-28', '2026-02-30'],
  ['date-time without a zone', { format: 'date-time' }, '2026-02-28T10:00:00', 'tomorrow'],
  ['time without a zone', { format: 'time' }, '10:00:00', '25:00:00'],
  ['uri beyond ASCII', { format: 'uri' }, 'https://exämple.org', 'no uri'],
  ['email', { format: 'email' }, 'ann@example.org', 'ann'],
  ['a pattern', { pattern: '^\\p{Lu}[\\w-]+$' }, 'Ann', 'ann'],
  ['a pattern that looks ahead', { pattern: '^(?!no)' }, 'yes', 'no'],
  ['all the spaces of JavaScript', { pattern: '^\\s$' }, '\u00a0', 'a'],
  ['a character as two halves', { pattern: '^[\\ud83d\\ude00]$' }, '😀', 'a'],
  ['escapes that only RE2 knows', { pattern: '^\\Qa\\E$' }, 'QaE', 'a'],
  ['a reference back by name', { pattern: '^(?<n>a)\\k<n>$' }, 'aa', 'ak<n>'],
  ['what looks like a class of POSIX', { pattern: '^[[:digit:]]$' }, 'd]', '1'],
  ['enum', { enum: ['a', 'b'] }, 'a', 'c'],
  ['a multiple of what is no binary fraction', { multipleOf: 0.01 }, 0.07, 0.075],
  ['a multiple beyond the safe integers', { multipleOf: 3 }, 3e300, 1],
  [
    'a part of itself',
    { properties: { in: { $ref: '#' } }, type: 'object' },
    { in: { in: {} } },
    { in: 1 },
  ],
])('what fits is taken and the rest is not: %s', (_, schema, good, bad) => {
  expect(schemaFault(JSON.stringify(schema))).toBeUndefined()
  expect(violations(schema, good)).toBeUndefined()
  expect(violations(schema, bad)).toBeDefined()
})

test('a format that is not known is passed over', () => {
  expect(violations({ format: 'color' }, 'red')).toBeUndefined()
})

test('fields are named by path, whatever their names, and are cut where they are long', () => {
  const schema = { additionalProperties: { type: 'number' } }
  expect(fieldsOf(schema, { 'a/b~c': '' })).toEqual(['params.a/b~c'])
  const [field = ''] = fieldsOf(schema, { ['x'.repeat(5_000)]: '' }) ?? []
  expect(field.length).toBeLessThan(250)
})

const EXPONENTIAL = {
  $ref: '#/$defs/a0',
  $defs: Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [
      `a${n}`,
      n === 39 ? { type: 'string' } : { anyOf: [0, 1].map(() => ({ $ref: `#/$defs/a${n + 1}` })) },
    ]),
  ),
}
const LAUGHS = { ...EXPONENTIAL, title: 'once more' }
const TWICE = { anyOf: [0, 1].map(() => ({ properties: { a: { $ref: '#' } }, required: ['a'] })) }
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) })

test.each<[string, unknown, unknown]>([
  ['a pattern that backtracks, in linear time', { pattern: '^(a+)+$' }, `${'a'.repeat(50_000)}b`],
  ['a pattern that must backtrack', { pattern: '^(?=a)(a+)+$' }, `${'a'.repeat(40)}b`],
  ['references that double at each level', EXPONENTIAL, 1],
  ['a schema that asks twice for itself', TWICE, nested(45)],
  ['one that is nothing but itself', { $ref: '#' }, 1],
  [
    'each item compared with each',
    { uniqueItems: true },
    Array.from({ length: 8_000 }, (_, n) => ({ a: [n] })),
  ],
  [
    'a huge enum of huge lists',
    { items: { enum: Array.from({ length: 8_000 }, (_, n) => `x${n}`) } },
    Array.from({ length: 10_000 }, () => 'y'),
  ],
])('a hostile schema holds nobody up: %s', (_, schema, value) => {
  const checks = new Checks()
  violations(schema, value, checks)
  // It has been given up, or was quick: many more are as nothing. Unbounded, one of them would outlast the test.
  for (let n = 0; n < 200; n += 1) violations(schema, value, checks)
})

test.each([
  ['at its root', { $async: true, type: 'string' }],
  ['within', { $defs: { a: { $async: true, type: 'string' } }, $ref: '#/$defs/a' }],
  [
    'where a dynamic reference leads',
    { $defs: { a: { $async: true, $dynamicAnchor: 'a', type: 'string' } }, $dynamicRef: '#a' },
  ],
])(
  'a schema that asks the validator for promises is not enforced, and rejects nothing: %s',
  async (_, schema) => {
    const rejections: unknown[] = []
    const note = (reason: unknown) => void rejections.push(reason)
    process.on('unhandledRejection', note)
    try {
      expect(schemaFault(JSON.stringify(schema))).toBeUndefined()
      expect(violations(schema, 1)).toBeUndefined()
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      process.off('unhandledRejection', note)
    }
    expect(rejections).toEqual([])
  },
)

test('a schema that took too long is not asked again, and the others go on', () => {
  const checks = new Checks()
  expect(violations(LAUGHS, 1, checks)).toBeUndefined()
  expect(violations(LAUGHS, 1, checks)).toBeUndefined()
  expect(violations({ type: 'string' }, 1, checks)).toBeDefined()
})

test.each([
  ['not JSON', '{'],
  ['no schema', '"a"'],
  ['a type that is none', '{"type":"text"}'],
  ['a lost reference', '{"$ref":"#/$defs/a"}'],
  ['a dialect', '{"$schema":"http://json-schema.org/draft-03/schema"}'],
])('a stored schema that cannot be compiled checks nothing: %s', (_, schema) => {
  expect(schemaFault(schema)).toBeDefined()
  expect(new Checks().violationsOf(schema, 1, 1)).toBeUndefined()
})

test.each([
  ['"required" should be a list', '{"required":"a"}', 'must be array'],
  ['a pattern', '{"pattern":"("}', 'no regular expression'],
  ['a lost reference', '{"$ref":"#/$defs/a"}', '#/$defs/a'],
  ['a reference to elsewhere', '{"$ref":"https://example.org/a"}', 'nothing is fetched'],
  ['a dialect', '{"$schema":"http://json-schema.org/draft-03/schema"}', 'dialect'],
  [
    'a dialect that is no text',
    '{"$schema":["http://json-schema.org/draft-07/schema"]}',
    'dialect',
  ],
  ['a dialect that cannot be one', '{"$schema":{"toString":1}}', 'dialect'],
  ['depth', `${'{"not":'.repeat(200)}true${'}'.repeat(200)}`, 'nested'],
])('what is wrong with a schema is said: %s', (_, schema, says) => {
  expect(schemaFault(schema)).toContain(says)
})

test('a value too deep to be followed is left to the executor, and the next one is checked', () => {
  const checks = new Checks()
  const schema = { type: 'object', properties: { a: { $ref: '#' } } }
  let deep: unknown = 1
  for (let depth = 0; depth < 10_000; depth += 1) deep = { a: deep }
  expect(checks.violationsOf(JSON.stringify(schema), deep, 60_000)).toBeUndefined()
  expect(violations(schema, { a: 1 }, checks)).toBeDefined()
})

test('compiled checks are kept up to a bound, those used last', () => {
  const checks = new Checks(10)
  for (let n = 0; n < 50; n += 1) violations({ maxLength: n }, 'a', checks)
  expect(checks.size).toBe(10)
})

test('others have their turn between checks that take long, however many are asked for at once', async () => {
  const checks = new Checks()
  const value = Array.from({ length: 500 }, (_, n) => [n])
  let checked = 0
  const check = () => {
    violations({ uniqueItems: true }, value, checks)
    checked += 1
  }
  const all = Array.from({ length: 400 }, () => checks.turn()?.then(check) ?? check())
  let before = 0
  let most = checked
  while (checked < all.length) {
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, checked - before)
    before = checked
  }
  expect(most).toBeLessThan(all.length / 4)
})
