import { expect, test } from 'vitest'
import { growthOf, isGrowing, type Quantity } from './usage.ts'

/** As garbage collectors leave it: it rises, and falls again. */
const sawtooth = (at: number) => (at % 20) * 5
const over = (seconds: number, held: (at: number) => number) =>
  Array.from({ length: seconds }, (_, at) => held(at))

/** Of a process that holds this, and no more and no less of anything else. */
const holding = (
  quantity: Quantity,
  held: (at: number) => number,
  threads = (_at: number) => 12,
) => ({
  residentMiB: over(600, () => 200),
  threads: over(600, threads),
  handles: over(600, () => 50),
  ...{ [quantity]: over(600, held) },
})

test.each<[quantity: Quantity, grows: boolean, held: (at: number) => number]>([
  ['residentMiB', false, (at) => 200 + sawtooth(at)],
  ['residentMiB', true, (at) => 200 + sawtooth(at) + at / 5],
  ['handles', false, (at) => 50 + (at % 7)],
  ['handles', true, (at) => 50 + (at % 7) + at / 10],
  ['threads', true, (at) => 12 + (at % 3) + at / 25],
])(
  'of %s, what comes and goes with the load is no growth, what stays is: %s',
  (quantity, grows, held) => {
    expect(isGrowing(quantity, holding(quantity, held))).toBe(grows)
  },
)

test('what is taken up once, in the first half, is no growth', () => {
  const once = (at: number) => Math.min(300, 100 + at)
  expect(isGrowing('residentMiB', holding('residentMiB', once))).toBe(false)
  expect(growthOf(over(600, once))).toBe(0)
})

test('what more threads hold is no growth of its own, what is beyond that is', () => {
  const threads = (at: number) => 12 + at / 60
  const of = (mibOfThread: number) => (at: number) => 200 + threads(at) * mibOfThread
  expect(isGrowing('residentMiB', holding('residentMiB', of(48), threads))).toBe(false)
  expect(isGrowing('residentMiB', holding('residentMiB', of(48)))).toBe(true)
  expect(isGrowing('residentMiB', holding('residentMiB', of(120), threads))).toBe(true)
})

test('growth is told as what there is more at the end of the second half', () => {
  expect(growthOf(over(600, (at) => at))).toBeCloseTo(270)
  expect(growthOf([])).toBe(0)
})
