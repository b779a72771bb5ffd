import { expect, test } from 'vitest'
import { type FoundGroup, nextCut, type RetentionCut } from './retention-cut.ts'

const DAY = 86_400_000_000
const START = 1_795_000_000_000_000

/** In which interval of a cut a time is: where that begins, as the statement has it. */
function intervalOf(time: number, { before, bits, fineTo, fineBits }: RetentionCut): number {
  const isFine = time < fineTo
  const width = 2 ** (isFine ? fineBits : bits)
  return Math.max(Math.floor(time / width) * width, isFine ? before : fineTo)
}

/** What a pass does with these times: those that stay, and what was found of them. */
function pass(times: readonly number[], countMax: number, cut: RetentionCut | undefined) {
  let ties = cut?.ties ?? 0
  const kept = times.filter((time) => {
    if (cut === undefined || time > cut.before) return true
    return time === cut.before && ties-- <= 0
  })
  const intervals = cut && new Map<number, number>()
  for (const time of kept) {
    if (cut === undefined) break
    const start = intervalOf(time, cut)
    intervals?.set(start, (intervals.get(start) ?? 0) + 1)
  }
  const [oldest, newest] = [Math.min(...kept), Math.max(...kept)]
  const found: FoundGroup = { countMax, count: kept.length, oldest, newest, intervals }
  return { kept, cut: nextCut(found, cut), intervals }
}

/** Passes until none are beyond the count. */
function sweep(times: readonly number[], countMax: number) {
  let left = { kept: [...times], cut: undefined as RetentionCut | undefined }
  let passes = 0
  let intervalsMax = 0
  while (left.kept.length > countMax && passes < 20) {
    const { kept, cut, intervals } = pass(left.kept, countMax, left.cut)
    intervalsMax = Math.max(intervalsMax, intervals?.size ?? 0)
    left = { kept, cut }
    passes += 1
  }
  return { kept: left.kept, passes, intervalsMax }
}

const newest = (times: readonly number[], count: number) =>
  times.toSorted((one, other) => other - one).slice(0, count)

/** The same each time, and anywhere within the span. */
const scattered = (count: number, span: number) =>
  Array.from({ length: count }, (_, index) => START + Math.floor(((index * 0.618034) % 1) * span))

test.each([
  ['all over a month', scattered(5_000, 30 * DAY), 2_500],
  ['within a second', scattered(5_000, 1_000_000), 4_999],
  [
    'one long ago and a flood just now',
    [START, ...scattered(5_000, 1_000).map((t) => t + 365 * DAY)],
    100,
  ],
  ['all but one', scattered(5_000, DAY), 4_999],
  ['a microsecond apart', Array.from({ length: 3_000 }, (_, index) => START + index), 1_234],
  ['one', [START, START + 1], 1],
])('exactly the newest are kept, and soon: %s', (_name, times, countMax) => {
  const { kept, passes, intervalsMax } = sweep(times, countMax)
  expect(newest(kept, kept.length)).toEqual(newest(times, countMax))
  expect(passes).toBeLessThanOrEqual(8)
  expect(intervalsMax).toBeLessThanOrEqual(3 * 1_024)
})

test('of those that ended at the same moment as many go as have to', () => {
  const times = [...Array(500).fill(START), ...Array(7).fill(START + DAY)]
  expect(sweep(times, 3).kept).toEqual(Array(3).fill(START + DAY))
  expect(sweep(times, 10).kept.toSorted()).toEqual([
    ...Array(3).fill(START),
    ...Array(7).fill(START + DAY),
  ])
})

test('jobs that go on ending never keep a pass from removing all but a thousandth of what is beyond', () => {
  const countMax = 20_000
  const perPass = 20_000
  let [times, cut, end]: [number[], RetentionCut | undefined, number] = [[], undefined, START]
  const sizes: number[] = []
  for (let round = 0; round < 12; round++) {
    times.push(...scattered(perPass, 3_000_000).map((time) => time - START + end))
    end += 3_000_000
    const done: ReturnType<typeof pass> = pass(times, countMax, cut)
    ;[times, cut] = [done.kept, done.cut]
    sizes.push(times.length)
  }
  expect(Math.max(...sizes.slice(3))).toBeLessThan(countMax + perPass * 1.05)
  expect(Math.min(...sizes.slice(3))).toBeGreaterThanOrEqual(countMax)
})

test('a group is counted as a whole until half of its count is there, and where any number is kept', () => {
  const found = { count: 10, oldest: START, newest: START + DAY, intervals: undefined }
  expect(nextCut({ ...found, countMax: 20 }, undefined)).toBeUndefined()
  expect(nextCut({ ...found, countMax: undefined }, undefined)).toBeUndefined()
  expect(nextCut({ ...found, countMax: 19 }, undefined)).toMatchObject({ before: 0 })
})
