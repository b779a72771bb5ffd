import { describe, expect, test } from 'vitest'
import { checkPattern, createMatcher } from './pattern.ts'

test.for([
  ['a.b', 'a.b', true],
  ['a.b', 'a.c', false],
  ['a.b', 'a.b.c', false],
  ['a.*', 'a.b', true],
  ['a.*', 'a', false],
  ['a.*', 'a.b.c', false],
  ['*.b.*', 'a.b.c', true],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['>', 'a', true],
  ['a.*.>', 'a.b', false],
  ['a.*.>', 'a.b.c', true],
  ['a+.*', 'aa.b', false],
] as const)('%s against %s is %s', ([pattern, subject, fits]) => {
  expect(createMatcher(pattern)(subject)).toBe(fits)
})

describe('a subscription is refused', () => {
  test.for(['', 'a..b', '.a', 'a.', 'a b', 'a.>.b', 'a>', '*a.b'])('for %j', (pattern) => {
    expect(() => checkPattern(pattern)).toThrow(TypeError)
  })
})
