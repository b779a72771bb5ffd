import { expect, test } from 'vitest'
import type { Steps } from '../domain/steps.ts'
import { inTurns } from './turns.ts'

/** Parts that take a few milliseconds each, noted. */
function* work(name: string, parts: number, done: string[]): Steps<string> {
  for (let part = 0; part < parts; part++) {
    const begun = performance.now()
    while (performance.now() - begun < 6) {}
    done.push(name)
    yield
  }
  return name
}

test('long work is done in slices, of one caller at a time, and what others wait for comes between them', async () => {
  const done: string[] = []
  let over = false
  const between = () => {
    done.push('-')
    if (!over) setImmediate(between)
  }
  setImmediate(between)
  const works = ['a', 'b', 'c'].map((name) => inTurns(work(name, 5, done)))
  expect(await Promise.all(works)).toEqual(['a', 'b', 'c'])
  over = true
  const slices = done.join('').split(/-+/)
  // The first slice of each was theirs at once.
  expect(slices[0]).toBe('abc')
  expect(slices.slice(1, 13).join('')).toBe('abcabcabcabc')
  expect(Math.max(...slices.slice(1).map((slice) => slice.length))).toBe(1)
})
