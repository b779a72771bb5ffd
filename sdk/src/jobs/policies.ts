/** How options of definitions and starts look on the wire. */
import { type Deadlines, Lane, type RetryPolicy } from '@offstage/proto/jobs'
import type { Duration } from '@offstage/proto/rpc'
import type { DeadlineOptions, LaneName, RetryOptions } from './method.ts'

const LANES = {
  inline: Lane.LANE_INLINE,
  task: Lane.LANE_TASK,
  work: Lane.LANE_WORK,
} as const satisfies Record<LaneName, Lane>

/** What a lane may be called. */
export const laneNames: readonly string[] = Object.keys(LANES)

/** The lane's number on the wire; unset stays unset, so that the method's own lane is taken (row A1). */
export function laneFrom(name: LaneName | undefined): Lane {
  return name === undefined ? Lane.LANE_UNSPECIFIED : LANES[name]
}

/** The name of a lane of the wire; one that is not said is inline. */
export function laneNameFrom(lane: Lane): LaneName {
  if (lane === Lane.LANE_TASK) return 'task'
  return lane === Lane.LANE_WORK ? 'work' : 'inline'
}

/** Fills the gaps with the documented defaults (row J16); unset stays unset. */
export function retryPolicyFrom(options: RetryOptions | undefined): RetryPolicy | undefined {
  if (options === undefined) return undefined
  return {
    maxAttempts: options.maxAttempts ?? 1,
    initialBackoff: durationFrom(options.initialBackoffMs ?? 1000),
    backoffMultiplier: options.backoffMultiplier ?? 2,
    maxBackoff: durationFrom(options.backoffMsMax ?? 300_000),
    jitter: options.jitter ?? 0.2,
  }
}

/** Unset limits stay unset (row J17). */
export function deadlinesFrom(options: DeadlineOptions | undefined): Deadlines | undefined {
  if (options === undefined) return undefined
  return {
    queue: durationFrom(options.queueMs),
    attempt: durationFrom(options.attemptMs),
    total: durationFrom(options.totalMs),
    heartbeat: durationFrom(options.heartbeatMs),
  }
}

/** Milliseconds as a `google.protobuf.Duration`; unset stays unset. */
export function durationFrom(ms: number): Duration
export function durationFrom(ms: number | undefined): Duration | undefined
export function durationFrom(ms: number | undefined): Duration | undefined {
  if (ms === undefined) return undefined
  const seconds = Math.trunc(ms / 1000)
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) }
}
