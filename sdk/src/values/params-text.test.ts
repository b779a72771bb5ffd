import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defineReference, paramsFromText, paramsToText } from './mod.ts'
import { identityOf } from './references.ts'

const scalar = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, false, -0, NaN, Infinity, -Infinity),
  fc.string(),
  fc.double(),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
)
const structure = fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), scalar)
const params = fc.array(fc.oneof(scalar, structure), { maxLength: 4 })

test('parameters survive the way through text, JSON included', () => {
  fc.assert(
    fc.property(params, (list) => {
      const plain = list.map((param) =>
        // fast-check may build dictionaries without a prototype, which are no parameters
        typeof param === 'object' && param !== null && !(param instanceof Date)
          ? Object.fromEntries(Object.entries(param))
          : param,
      )
      const text = paramsToText(plain)
      expect(paramsFromText(JSON.parse(JSON.stringify(text)))).toStrictEqual(plain)
    }),
  )
})

test('the order of properties does not show in the text', () => {
  expect(paramsToText([{ a: 1, b: 2 }])).toBe(paramsToText([{ b: 2, a: 1 }]))
})

test('a reference comes back as a bare one of the same identity', () => {
  const [back] = paramsFromText(paramsToText([defineReference('customer', 7n)]) ?? '')
  expect(identityOf(back as object)).toEqual({ type: 'customer', id: 7n })
})

test('parameters that do not compare by content have no text', () => {
  expect(paramsToText([1, [2]])).toBe(undefined)
})

test('a text of another kind is refused', () => {
  expect(() => paramsFromText('{}')).toThrow(TypeError)
  expect(() => paramsFromText('[["other"]]')).toThrow('unknown tag other')
})
