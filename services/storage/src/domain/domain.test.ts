import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { faultOfChunk, faultOfWhole } from './body-check.ts'
import { addressFrom, parseAddress, parseNamespace } from './identifier.ts'
import { quotaPassed } from './limits.ts'
import { cursorFrom, positionOf } from './page-cursor.ts'

const hex = fc.stringMatching(/^[0-9a-f]{32}$/)

describe('addresses and namespaces', () => {
  test('an address made here is understood here, and nothing else is', () => {
    fc.assert(
      fc.property(hex, (random) => void expect(parseAddress(addressFrom(random))).toBeDefined()),
    )
    fc.assert(fc.property(fc.string(), (text) => void expect(parseAddress(text)).toBeUndefined()))
    expect(parseAddress(`val_${'0'.repeat(32)}\n`)).toBeUndefined()
  })

  test('a namespace is one token of a subject', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (parseNamespace(text) === undefined) return
        expect(text).not.toMatch(/[.*>\s]/)
        expect(text.length).toBeGreaterThan(0)
      }),
    )
  })
})

describe('positions in a listing', () => {
  const cursor = fc.record({
    createTimeUs: fc.maxSafeNat(),
    address: hex.map((random) => addressFrom(random)),
  })

  test('go back to the cursor they were made of, and nothing else is one', () => {
    fc.assert(
      fc.property(cursor, (place) => void expect(cursorFrom(positionOf(place))).toEqual(place)),
    )
    fc.assert(fc.property(fc.string(), (text) => void expect(cursorFrom(text)).toBeUndefined()))
  })
})

describe('bodies', () => {
  const chunkSizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 8 })
  const sizeMax = 100

  /** What becomes of a body: the fault of its first bad chunk, or of the whole. */
  function faultOf(sizes: readonly number[], size: number | undefined, sha256?: Buffer) {
    const bounds = { size, sha256, sizeMax }
    let received = 0
    for (const bytes of sizes) {
      const fault = faultOfChunk(bounds, received, bytes)
      if (fault !== undefined) return fault
      received += bytes
    }
    return faultOfWhole(bounds, received, createHash('sha256').digest())
  }

  test('are taken exactly when they are within the limit and as large as announced', () => {
    fc.assert(
      fc.property(chunkSizes, fc.option(fc.nat(120), { nil: undefined }), (sizes, announced) => {
        const total = sizes.reduce((sum, bytes) => sum + bytes, 0)
        const good = total <= sizeMax && (announced === undefined || announced === total)
        expect(faultOf(sizes, announced) === undefined).toBe(good)
      }),
    )
  })

  test('with another checksum than announced are not taken', () => {
    expect(faultOf([], undefined, Buffer.alloc(32))).toMatchObject({ kind: 'checksum-mismatch' })
    const empty = createHash('sha256').digest()
    expect(faultOf([], undefined, empty)).toBeUndefined()
  })
})

test('a quota holds up to its last byte and value', () => {
  const quotas = { ownerBytesMax: 10, ownerValuesMax: 2, namespaceBytesMax: 20 }
  const at = { ownerBytes: 10, ownerValues: 2, namespaceBytes: 20 }
  expect(quotaPassed(at, quotas)).toBeUndefined()
  for (const over of ['ownerBytes', 'ownerValues', 'namespaceBytes'] as const) {
    expect(quotaPassed({ ...at, [over]: at[over] + 1 }, quotas)).toBeDefined()
  }
})
