import { bytes, millis, positiveInteger, variable } from '../config/mod.ts'

const MINUTE_MS = 60_000

/** What one caller, one connection and one slow reader may take of a server. */
export interface ServerLimits {
  readonly connectionCallsMax: number
  readonly connectionAgeMs: number
  readonly connectionIdleMs: number
  readonly callerCallsMax: number
  readonly callerStreamsMax: number
  readonly slowReaderMs: number
  /** Undefined: that of the container, or of the machine. */
  readonly memoryBytesMax: number | undefined
}

export const SERVER_LIMITS: ServerLimits = {
  connectionCallsMax: 4_096,
  connectionAgeMs: 30 * MINUTE_MS,
  connectionIdleMs: 10 * MINUTE_MS,
  callerCallsMax: 10_000,
  callerStreamsMax: 1_000,
  slowReaderMs: MINUTE_MS,
  memoryBytesMax: undefined,
}

/** The variables of these limits of one service. */
export function limitFields<const S extends string>(
  service: S,
  defaults: ServerLimits = SERVER_LIMITS,
) {
  const count = positiveInteger
  return {
    connectionCallsMax: variable(
      `OFFSTAGE_${service}_CONNECTION_CALLS`,
      count.default(defaults.connectionCallsMax),
      { description: 'calls open at once on one connection; the client queues the rest' },
    ),
    connectionAgeMs: variable(
      `OFFSTAGE_${service}_CONNECTION_AGE`,
      millis.default(defaults.connectionAgeMs),
      { description: 'age at which a connection is retired; calls open on it go on' },
    ),
    connectionIdleMs: variable(
      `OFFSTAGE_${service}_CONNECTION_IDLE`,
      millis.default(defaults.connectionIdleMs),
      { description: 'a connection without a call for so long is closed' },
    ),
    callerCallsMax: variable(
      `OFFSTAGE_${service}_CALLER_CALLS`,
      count.default(defaults.callerCallsMax),
      { description: 'calls with one request and one answer that one user may have open' },
    ),
    callerStreamsMax: variable(
      `OFFSTAGE_${service}_CALLER_STREAMS`,
      count.default(defaults.callerStreamsMax),
      { description: 'other calls that one user may have open' },
    ),
    slowReaderMs: variable(
      `OFFSTAGE_${service}_SLOW_READER`,
      millis.default(defaults.slowReaderMs),
      {
        description:
          'a call whose answer waits so long for its reader, or whose message for its sender, is ended',
      },
    ),
    memoryBytesMax: variable(`OFFSTAGE_${service}_MEMORY_MAX`, bytes.optional(), {
      description: 'memory of the process, near which calls are refused; absent: what there is',
    }),
  }
}
