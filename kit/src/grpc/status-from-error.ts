import { Metadata, type status } from '@grpc/grpc-js'
import { encodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { helpUrlOf } from '@offstage/proto/reasons'
// Not by way of its mod.ts, which would load the database drivers into every server.
import { isConnectionError, isTransientError } from '../database/errors.ts'
import { CallAborted } from './call-aborted.ts'
import { fitTrailers } from './fit-trailers.ts'
import { Refusal } from './refusal.ts'

/** What grpc-js sends for a failed call. */
export interface FaultStatus {
  readonly code: status
  readonly details: string
  readonly metadata: Metadata
}

/** The text of every unknown fault: the cause may hold secrets, so it stays in the log. */
const INTERNAL_TEXT = 'internal error; the log of the service has the cause'

/** How long a caller should leave a database that is away: about a restart or a failover step. */
const DATABASE_RETRY_MS = 500

/**
 * The only place where faults become statuses.
 *
 * @param onUnknown is told of a fault nobody expected, once, so that it reaches the log.
 */
export function statusFromError(error: unknown, onUnknown: (error: unknown) => void): FaultStatus {
  if (error instanceof Refusal) return statusFromRefusal(error)
  if (error instanceof CallAborted) return statusFromRefusal(refusalFromAbort(error))
  if (isTransientError(error)) return statusFromRefusal(databaseAway(error))
  onUnknown(error)
  return statusFromRefusal(new Refusal({ reason: 'INTERNAL', message: INTERNAL_TEXT }))
}

function statusFromRefusal(refusal: Refusal): FaultStatus {
  const { code, reason, retryDelayMs } = refusal
  const told = fitTrailers(refusal)
  const facts = { code, reason, retryDelayMs, helpUrl: helpUrlOf(reason), ...told }
  const metadata = new Metadata()
  metadata.set(STATUS_DETAILS_KEY, encodeErrorDetails(facts))
  return { code, details: told.message, metadata }
}

function refusalFromAbort({ kind, message }: CallAborted): Refusal {
  switch (kind) {
    case 'cancelled':
      return new Refusal({ reason: 'CANCELLED', message })
    case 'deadline':
      return new Refusal({ reason: 'DEADLINE_EXCEEDED', message })
    case 'server-stop':
      return new Refusal({ reason: 'SHUTTING_DOWN', message })
  }
}

function databaseAway(cause: unknown): Refusal {
  return new Refusal({
    reason: 'DATABASE_UNAVAILABLE',
    message: isConnectionError(cause)
      ? 'the database cannot be reached at the moment'
      : 'the database cannot do this at the moment',
    retryDelayMs: DATABASE_RETRY_MS,
    cause,
  })
}
