import { expect, test } from 'vitest'
import { growthOf, isGrowing } from './usage.ts'

/** As garbage collectors leave it: it rises, and falls again. */
const sawtooth = (at: number) => (at % 20) * 5
const over = (seconds: number, held: (at: number) => number) =>
  Array.from({ length: seconds }, (_, at) => held(at))

test('what comes and goes with the load is no growth, what stays is', () => {
  expect(
    isGrowing(
      'residentMiB',
      over(600, (at) => 200 + sawtooth(at)),
    ),
  ).toBe(false)
  expect(
    isGrowing(
      'residentMiB',
      over(600, (at) => 200 + sawtooth(at) + at / 5),
    ),
  ).toBe(true)
  expect(
    isGrowing(
      'handles',
      over(600, (at) => 50 + (at % 7)),
    ),
  ).toBe(false)
  expect(
    isGrowing(
      'handles',
      over(600, (at) => 50 + (at % 7) + at / 10),
    ),
  ).toBe(true)
  expect(
    isGrowing(
      'threads',
      over(600, (at) => 12 + (at % 3) + at / 25),
    ),
  ).toBe(true)
})

test('what is taken up once, in the first half, is no growth', () => {
  expect(
    isGrowing(
      'residentMiB',
      over(600, (at) => Math.min(300, 100 + at)),
    ),
  ).toBe(false)
  expect(growthOf(over(600, (at) => Math.min(300, 100 + at)))).toBe(0)
})

test('growth is told as what there is more at the end of the second half', () => {
  expect(growthOf(over(600, (at) => at))).toBeCloseTo(270)
  expect(growthOf([])).toBe(0)
})
