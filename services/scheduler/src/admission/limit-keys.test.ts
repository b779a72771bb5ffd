import { expect, test } from 'vitest'
import { keyExpressionFault, limitKeyOf } from './limit-keys.ts'

function keyOf(expression: string, json: string) {
  expect(keyExpressionFault(expression)).toBeUndefined()
  const params = { inline: Buffer.from(json), type: '' }
  return limitKeyOf(expression, { params, labels: undefined, owner: '', key: '', pool: '' })
}

const lists = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const tooDeep = { fault: 'Unsupported type: NestedTooDeep' }

// What the library makes of so many levels takes minutes.
test.each([
  ['compared', 'params.list == params.list'],
  ['converted', 'string(params.list)'],
  ['looked for', 'params.list in [params.list]'],
  ['of objects', 'params.map == params.map'],
])('what is nested deeper than ten levels cannot be %s', (_what, expression) => {
  const [objects, ends] = ['{"a":'.repeat(4_000), '}'.repeat(4_000)]
  const json = `{ "tenant": "a", "list": ${lists(15_000)}, "map": ${objects}1${ends} }`
  expect(keyOf(expression, json)).toEqual(tooDeep)
  expect(keyOf('params.tenant', json)).toEqual({ key: 'a' })
})

test('ten levels are read, and not one more', () => {
  const json = (levels: number) => `{ "list": ${lists(levels - 1)} }`
  expect(keyOf('params.list == params.list', json(10))).toEqual({ key: 'true' })
  expect(keyOf('params.list == params.list', json(11))).toEqual(tooDeep)
})

test('an expression that takes a second or more is given up', () => {
  const half = 'a'.repeat(10_000)
  const json = JSON.stringify({ text: 'a'.repeat(43_000), part: `${half}b${half}` })
  const expression = Array(14).fill('params.text.contains(params.part)').join(' || ')
  expect(keyOf(expression, json)).toEqual({ fault: 'it takes over 1000 ms' })
})
