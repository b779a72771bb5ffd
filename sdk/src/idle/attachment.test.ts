import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAttachment, nextBeatMs } from './attachment.ts'
import { TableOwner } from './table-owner.ts'

const owner = new TableOwner({ disposed: false, release: () => undefined }, 'form', 'form')

function attachedAt(attachedAtMs: number, intervalMs: number) {
  return createAttachment(owner, () => undefined, { intervalMs }, attachedAtMs, 1)
}

test('the next beat is the first one after now', () => {
  const attachment = attachedAt(50, 100)
  expect(nextBeatMs(attachment, 150)).toBe(250)
  expect(nextBeatMs(attachment, 249)).toBe(250)
  expect(nextBeatMs(attachment, 250)).toBe(350)
  expect(nextBeatMs(attachment, 777)).toBe(850)
})

test('with any fraction of a millisecond the beat is later than now, and by no more than an interval', () => {
  const ms = fc.double({ min: 0, max: 1e9, noNaN: true })
  const interval = fc.double({ min: 100, max: 1e7, noNaN: true })
  fc.assert(
    fc.property(ms, interval, ms, (attachedAtMs, intervalMs, passedMs) => {
      const nowMs = attachedAtMs + passedMs
      const beatMs = nextBeatMs(attachedAt(attachedAtMs, intervalMs), nowMs)
      expect(beatMs).toBeGreaterThan(nowMs)
      expect(beatMs - nowMs).toBeLessThanOrEqual(intervalMs + 1e-6)
    }),
  )
})

test('however rounding falls, a run at a beat of tenths of milliseconds leads to a later one', () => {
  const startMs = fc.nat({ max: 1e6 })
  const tenths = fc.integer({ min: 1_000, max: 20_000 })
  const beats = fc.integer({ min: 1, max: 1_000 })
  fc.assert(
    fc.property(startMs, tenths, beats, (attachedAtMs, tenths, beats) => {
      const nowMs = Math.ceil(attachedAtMs + (beats * tenths) / 10)
      expect(nextBeatMs(attachedAt(attachedAtMs, tenths / 10), nowMs)).toBeGreaterThan(nowMs)
    }),
    { numRuns: 2_000, examples: [[997, 1_283, 30]] },
  )
})
