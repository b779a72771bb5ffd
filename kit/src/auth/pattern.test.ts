import { expect, test } from 'vitest'
import { fits } from './pattern.ts'

test.each([
  ['ann', 'ann', true],
  ['ann', 'anna', false],
  ['*', '', true],
  ['reports.*', 'reports.build', true],
  ['reports.*', 'reports', false],
  ['*:ci:*', 'system:ci:build', true],
  ['a*a', 'a', false],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['a.c', 'abc', false],
])('the pattern %s and the text %s: %s', (pattern, text, expected) => {
  expect(fits(pattern, text)).toBe(expected)
})
