import type { Timing } from '../domain/due-times.ts'

/** Terms of which only what is given matters. */
export function timing(given: Partial<Timing>): Timing {
  return {
    crons: [],
    intervalMs: undefined,
    anchorTime: undefined,
    excludedCrons: [],
    timeZone: 'UTC',
    beginTime: undefined,
    endTime: undefined,
    jitterMs: 0,
    ...given,
  }
}
