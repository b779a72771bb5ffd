import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isSound, PART_BYTES, PartSums } from './part-sums.ts'

function sumsOf(bytes: Buffer, cuts: number[] = []): Buffer {
  const sums = new PartSums()
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b)]
  let from = 0
  for (const end of [...ends, bytes.length]) {
    sums.add(bytes.subarray(from, end))
    from = end
  }
  return sums.toBuffer()
}

const sizes = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES]

test.each(sizes)('the sums of %d bytes do not depend on how the bytes came', (size) => {
  const bytes = randomBytes(size)
  const expected = sumsOf(bytes)
  expect(expected).toHaveLength(Math.ceil(size / PART_BYTES) * 4)
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 6 }), (cuts) => {
      expect(sumsOf(bytes, cuts).equals(expected)).toBe(true)
    }),
    { numRuns: 10 },
  )
})

test('a part is sound only whole, in its place and unchanged', () => {
  const bytes = randomBytes(2 * PART_BYTES + 100)
  const sums = sumsOf(bytes)
  const part = (n: number) => Buffer.from(bytes.subarray(n * PART_BYTES, (n + 1) * PART_BYTES))
  for (const n of [0, 1, 2]) expect(isSound(sums, n, part(n))).toBe(true)
  expect(isSound(sums, 1, part(0))).toBe(false)
  expect(isSound(sums, 2, part(2).subarray(1))).toBe(false)
  expect(isSound(sums, 3, part(2))).toBe(false)
  const flipped = part(1)
  flipped[77] = (flipped[77] ?? 0) ^ 1
  expect(isSound(sums, 1, flipped)).toBe(false)
})
