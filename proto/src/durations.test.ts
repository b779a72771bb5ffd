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

test('unset stays unset', () => {
  expect(durationFrom(undefined)).toBeUndefined()
  expect(msFrom(undefined)).toBeUndefined()
})
