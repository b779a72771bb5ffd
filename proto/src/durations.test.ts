import { expect, test } from 'vitest'
import { durationFrom, msFrom } from './durations.ts'

test.each([0, 0.25, 999, 1_000, 1_500.5, 316_224_000_000, -1_500])(
  'a duration of %d ms comes back as it was',
  (ms) => {
    expect(msFrom(durationFrom(ms))).toBe(ms)
  },
)

test('seconds and nanos are of one sign, as protobuf wants them', () => {
  expect(durationFrom(0.25)).toEqual({ seconds: 0n, nanos: 250_000 })
  expect(durationFrom(-1_500)).toEqual({ seconds: -1n, nanos: -500_000_000 })
})

test('what rounds up to a whole second is one', () => {
  expect(durationFrom(1_999.999_999_9)).toEqual({ seconds: 2n, nanos: 0 })
})

test('what is no duration is no number', () => {
  for (const [seconds, nanos] of [
    [1n, -1],
    [-1n, 1],
    [0n, 1_000_000_000],
    [0n, -1_000_000_000],
  ] as const) {
    expect(msFrom({ seconds, nanos })).toBeNaN()
  }
})

test('unset stays unset', () => {
  expect(durationFrom(undefined)).toBeUndefined()
  expect(msFrom(undefined)).toBeUndefined()
})
