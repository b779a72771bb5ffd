/** Milliseconds and `google.protobuf.Duration`; unset stays unset. */
import type { Duration } from '../gen/google/protobuf/duration.ts'

export function durationFrom(ms: number): Duration
export function durationFrom(ms: number | undefined): Duration | undefined
export function durationFrom(ms: number | undefined): Duration | undefined {
  if (ms === undefined) return undefined
  const seconds = Math.trunc(ms / 1_000)
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) }
}

export function msFrom(duration: Duration): number
export function msFrom(duration: Duration | undefined): number | undefined
export function msFrom(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1_000 + duration.nanos / 1e6
}
