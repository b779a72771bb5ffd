import { LANE_DEFAULT as DEFAULT, LANES } from '@offstage/proto/lanes'

/** The numbers of offstage.jobs.v1.Lane, which are also those in the database. */
export const Lane = {
  /** Of a job that names none: the one its executor gives the method. */
  ofMethod: 0,
  ...LANES,
} as const
export type Lane = (typeof Lane)[keyof typeof Lane]

/** One that executors have slots of. */
export type SlotLane = Exclude<Lane, typeof Lane.ofMethod>

export const JOB_LANES: readonly Lane[] = Object.values(Lane)
export const SLOT_LANES: readonly SlotLane[] = Object.values(LANES)
export const LANE_DEFAULT: SlotLane = LANES[DEFAULT]

/** Added to the lane of a job of a pool where it is stored: what is claimed for other pools does not come past it. */
const POOLED = 8

export function storedLane(lane: Lane, pool: string): number {
  return pool === '' ? lane : lane + POOLED
}

/** SQL for the lane of what {@link storedLane} made. */
export const laneInSql = (column: string) => `(${column} & ${POOLED - 1})`

/** SQL for {@link storedLane} of a lane that was stored, in a pool that is null where it is the default one. */
export const storedLaneInSql = (column: string, pool: string) =>
  `${laneInSql(column)} + CASE WHEN ${pool} IS NULL THEN 0 ELSE ${POOLED} END`

/** SQL: whether it is that of a job in the default pool. */
export const isUnpooledInSql = (column: string) => `${column} < ${POOLED}`

export function laneFromStored(stored: number): Lane {
  return (stored & (POOLED - 1)) as Lane
}

export function isJobLane(value: number): value is Lane {
  return JOB_LANES.some((lane) => lane === value)
}

export function isSlotLane(value: number): value is SlotLane {
  return SLOT_LANES.some((lane) => lane === value)
}
