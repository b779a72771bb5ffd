/** How a log tells of outages: one line when one begins, one when it is over, and not one for each failure between. */
import type { Bus } from '../bus/bus.ts'
import type { Database } from '../database/database.ts'
// Not by way of its mod.ts, which would load the database drivers.
import { isConnectionError } from '../database/errors.ts'
import type { Logger } from './logger.ts'

/** Logs when the database or the bus is lost, and when it is back; for the life of the process. */
export function logOutages(log: Logger, parts: { database: Database; bus: Bus }): void {
  const since: { database?: number; bus?: number } = {}
  const tell = (what: 'database' | 'bus', isThere: boolean, lost: string, back: string) => {
    const begunMs = since[what]
    if (isThere && begunMs !== undefined) {
      log.warn({ outageMs: Math.round(performance.now() - begunMs) }, back)
      delete since[what]
    } else if (!isThere) {
      since[what] = performance.now()
      log.warn(lost)
    }
  }
  parts.database.onReachableChange((isReachable) =>
    tell(
      'database',
      isReachable,
      'the database cannot be reached; calls answer DATABASE_UNAVAILABLE, writes of results wait',
      'the database answers again',
    ),
  )
  parts.bus.onStatusChange((status) => {
    if (status === 'closed') return
    tell(
      'bus',
      status === 'connected',
      'NATS is gone; hints are lost until it is back, the sweeps find what they would have told',
      'NATS is back',
    )
  })
}

/**
 * For work that is tried again by itself: its failures are warnings, but those of an outage, which `logOutages` has
 * told, are for debugging only.
 */
export function createTroubleLog(log: Logger, text: string): (error: unknown) => void {
  return (error) => log[isConnectionError(error) ? 'debug' : 'warn']({ err: error }, text)
}
