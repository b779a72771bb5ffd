import { expect, test } from 'vitest'
import { checkExtra } from './extra.ts'

function nested(levels: number): Record<string, unknown> {
  let extra: Record<string, unknown> = { end: true }
  for (let level = 1; level < levels; level += 1) extra = { inner: extra }
  return extra
}

const circle: Record<string, unknown> = {}
circle.self = circle

test('an extra comes back as plain JSON', () => {
  expect(checkExtra({ at: new Date(0), skip: undefined, list: [1, null] })).toEqual({
    at: '1970-01-01T00:00:00.000Z',
    list: [1, null],
  })
  expect(checkExtra(nested(32))).toEqual(nested(32))
})

test.each([
  ['nested too deep', nested(33), 'extra is nested more than 32 levels deep'],
  ['nested far too deep', nested(1_500), 'extra is nested more than 32 levels deep'],
  ['deeper than a stack', nested(200_000), 'extra: is nested too deep'],
  ['a circle', circle, 'extra.self: refers back to what it is a part of, which JSON cannot'],
  ['a bigint', { n: 1n }, 'extra.n: JSON has no bigint; send it as a text or a number'],
  ['emptied by JSON', { rows: [NaN] }, 'extra.rows.0: JSON has no NaN; it would become null'],
  ['too large', { text: 'ä'.repeat(9_000) }, 'extra is over 16384 bytes as JSON'],
  ['a list', [1], 'extra must be an object'],
  ['a text', 'text', 'extra must be an object'],
  ['nothing', { toJSON: () => undefined }, 'extra must be an object'],
])('an extra that is %s is refused by name', (_what, extra, message) => {
  expect(() => checkExtra(extra as Record<string, unknown>)).toThrow(new TypeError(message))
})
