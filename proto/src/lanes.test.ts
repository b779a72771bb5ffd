import { expect, test } from 'vitest'
import { Lane } from './jobs.ts'
import { LANE_NAMES, LANES, laneNameOf } from './lanes.ts'

test('every lane of the contract has its name, and no other has one', () => {
  const { LANE_UNSPECIFIED, UNRECOGNIZED, ...lanes } = Lane
  const named = LANE_NAMES.map((name) => [`LANE_${name.toUpperCase()}`, LANES[name]])
  expect(Object.fromEntries(named)).toEqual(lanes)
  expect(Object.values(lanes).map(laneNameOf)).toEqual(LANE_NAMES)
  expect([LANE_UNSPECIFIED, UNRECOGNIZED, 5].map(laneNameOf)).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})
