import { expect, test } from 'vitest'
import { TooSlowError, within } from './guard.ts'

const LIMIT_MS = 50

/** As where others have the processor meanwhile: it waits and works nothing. */
function holdUp() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LIMIT_MS * 20)
}

test('what is held up, but works little, is done in the end', () => {
  let begun = 0
  const run = () => {
    begun += 1
    if (begun < 3) holdUp()
    return 'done'
  }
  expect(within(LIMIT_MS, run)).toBe('done')
  expect(begun).toBe(3)
})

test('what works on and on is ended, and what it throws is thrown', () => {
  const endless = () => {
    for (;;);
  }
  expect(() => within(LIMIT_MS, endless)).toThrow(TooSlowError)
  const broken = () => {
    throw new RangeError('broken')
  }
  expect(() => within(LIMIT_MS, broken)).toThrow(RangeError)
})
