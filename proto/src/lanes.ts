/** Lanes, by the names people use, with the numbers of offstage.jobs.v1.Lane. */
export const LANES = { inline: 1, task: 2, work: 3, process: 4 } as const

/**
 * Where a handler runs (row A1). `inline`: many at once on the event loop of one thread, for handlers that wait for
 * I/O. `task`: on a shared pool of threads, for short work that computes. `work`: on a thread of its
 * own, for long or endless work. `process`: alone in a process, for native code that may crash and code that is not trusted; only
 * on executors that have the lane.
 */
export type LaneName = keyof typeof LANES

export const LANE_NAMES = Object.keys(LANES) as readonly LaneName[]

/** Where neither a start nor the definition of its method names one. */
export const LANE_DEFAULT = 'inline' satisfies LaneName

/** The name of a number of the contract; undefined where that is no lane, or none is said. */
export function laneNameOf(lane: number): LaneName | undefined {
  return LANE_NAMES[lane - 1]
}
