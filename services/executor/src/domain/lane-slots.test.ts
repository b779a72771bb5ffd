import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LaneSlots } from './lane-slots.ts'

test('all slots are owed at first, and again on each new stream', () => {
  const lane = new LaneSlots(3)
  expect(lane.takeCredits()).toBe(3)
  expect(lane.takeCredits()).toBe(0)
  lane.occupy()
  lane.forgetCredits()
  expect(lane.takeCredits()).toBe(2)
})

test('a parent that goes on after a wait is over the slots, and its end gives no credit', () => {
  const lane = new LaneSlots(1)
  lane.takeCredits()
  lane.occupy()
  lane.park()
  expect(lane.takeCredits()).toBe(1)
  lane.occupy()
  lane.resume()
  expect(lane.active).toBe(2)
  lane.release(false)
  expect(lane.takeCredits()).toBe(0)
  lane.release(false)
  expect(lane.takeCredits()).toBe(1)
})

test('a closed lane owes nothing', () => {
  const lane = new LaneSlots(2)
  lane.takeCredits()
  lane.occupy()
  lane.close()
  lane.release(false)
  expect(lane.takeCredits()).toBe(0)
})

test('whatever happens, credits never invite more than the slots hold', () => {
  const steps = fc.array(fc.constantFrom('assign', 'park', 'resume', 'end', 'reconnect'))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), steps, (slots, moves) => {
      const lane = new LaneSlots(slots)
      let outstanding = lane.takeCredits()
      for (const move of moves) {
        if (move === 'assign' && outstanding > 0) {
          lane.occupy()
          outstanding -= 1
        } else if (move === 'park' && lane.active > 0) lane.park()
        else if (move === 'resume' && lane.parked > 0) lane.resume()
        else if (move === 'end' && lane.active > 0) lane.release(false)
        else if (move === 'reconnect') {
          lane.forgetCredits()
          outstanding = 0
        }
        const owed = lane.takeCredits()
        outstanding += owed
        expect(outstanding).toBeLessThanOrEqual(slots)
        // Nothing is lost either: a lane with room has invited for all of it.
        expect(outstanding + lane.active).toBeGreaterThanOrEqual(slots)
        if (owed > 0) expect(outstanding + lane.active).toBe(slots)
      }
    }),
  )
})
