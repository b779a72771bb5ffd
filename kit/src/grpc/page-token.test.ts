import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pageTokenAt, positionFrom } from './page-token.ts'

test('a token goes back to the position it was made of, for the same listing only', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (at, one, other) => {
      const token = pageTokenAt(at, ['jobs', one])
      expect(positionFrom(token, ['jobs', one])).toBe(at)
      if (other !== one) expect(() => positionFrom(token, ['jobs', other])).toThrow('page_token')
    }),
  )
})

test('junk is refused, whatever it decodes to, and no token is no position', () => {
  const junk = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
  )
  fc.assert(fc.property(junk, (token) => void expect(() => positionFrom(token, [])).toThrow()))
  expect(positionFrom('', [])).toBeUndefined()
})
