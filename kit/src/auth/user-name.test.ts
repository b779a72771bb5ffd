import { expect, test } from 'vitest'
import { isUserName } from './user-name.ts'

test.each(['ann', 'Ann', 'a b', 'Ørsted', '李雷', 'ann@example.com', 'x'.repeat(255)])(
  'things can belong to %j',
  (name) => {
    expect(isUserName(name)).toBe(true)
  },
)

// One that looks like another in a listing, a log or an act could pass for them; half a pair of surrogates is no text, and
// databases would make one user of all of them.
test.each([
  '',
  'x'.repeat(256),
  ' ',
  '\u00a0',
  'ann ',
  ' ann',
  'a\u0000nn',
  'ann\n',
  '\u202enna',
  '\u2066ann\u2069',
  'an\u200bn',
  '\ufeffann',
  'ann\u2028',
  '\ud800',
])('nothing can belong to %j', (name) => {
  expect(isUserName(name)).toBe(false)
})
