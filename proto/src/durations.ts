/** Milliseconds and `google.protobuf.Duration`; unset stays unset. */
import type { Duration } from '../gen/google/protobuf/duration.ts'

export function durationFrom(ms: number): Duration
export function durationFrom(ms: number | undefined): Duration | undefined
export function durationFrom(ms: number | undefined): Duration | undefined {
  if (ms === undefined) return undefined
  const seconds = Math.trunc(ms / 1_000)
  const nanos = Math.round((ms - seconds * 1_000) * 1e6)
  // Rounded up to a whole second.
  if (Math.abs(nanos) === NANOS) return { seconds: BigInt(seconds + nanos / NANOS), nanos: 0 }
  return { seconds: BigInt(seconds), nanos }
}

const NANOS = 1_000_000_000

/** NaN, which is within no limits, for what is no Duration: nanos of a second or more, or of another sign than the seconds. */
export function msFrom(duration: Duration): number
export function msFrom(duration: Duration | undefined): number | undefined
export function msFrom(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined
  const { seconds, nanos } = duration
  const mixed = (seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)
  return mixed || Math.abs(nanos) >= NANOS ? Number.NaN : Number(seconds) * 1_000 + nanos / 1e6
}
