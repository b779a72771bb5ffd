import { type ServiceError, status } from '@grpc/grpc-js'
import {
  decodeErrorDetails,
  type ErrorDetails,
  STATUS_DETAILS_KEY,
} from '@offstage/proto/error-details'
import type { Reason } from '@offstage/proto/reasons'
import type { CallOptions } from './call-options.ts'
import { OffstageError } from './offstage-error.ts'

const REASON_OF_CODE: Partial<Record<status, Reason>> = {
  [status.CANCELLED]: 'CANCELLED',
  [status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
  [status.UNIMPLEMENTED]: 'NOT_IMPLEMENTED',
}

/** The only place where failed calls become errors of the SDK. */
export function errorFromStatus(error: ServiceError, options: CallOptions = {}): OffstageError {
  const { code, details: text } = error
  const bytes = error.metadata?.get(STATUS_DETAILS_KEY)[0]
  withoutNoise(error)
  if (Buffer.isBuffer(bytes)) {
    const details = decodeErrorDetails(bytes)
    if (details.reason !== undefined) {
      const message = details.reason === 'WRONG_SERVICE' ? mixUp(details, options) : details.message
      return new OffstageError({ ...details, message, reason: details.reason, cause: error })
    }
  }
  if (isConnectionLoss(error)) return unreachable(error, options)
  const sizes = code === status.RESOURCE_EXHAUSTED ? sizesIn(text) : undefined
  if (sizes !== undefined) {
    return new OffstageError({ code, reason: 'MESSAGE_TOO_LARGE', message: sizes, cause: error })
  }
  if (code === status.RESOURCE_EXHAUSTED && STREAM_RESET.test(text)) {
    const message = 'the service reset the stream: its answers were not read in time'
    return new OffstageError({ code, reason: 'SLOW_READER', message, cause: error })
  }
  const reason = REASON_OF_CODE[code] ?? 'INTERNAL'
  const message = code === status.DEADLINE_EXCEEDED ? lateness(error, options) : text
  return new OffstageError({ code, reason, message: message || status[code], cause: error })
}

/** What grpc-js has beyond its message: the frames of its own code, the message again, and raw headers. */
function withoutNoise(error: ServiceError): void {
  error.stack = String(error)
  for (const name of ['details', 'metadata']) {
    Object.defineProperty(error, name, { enumerable: false })
  }
}

/** How grpc-js words a stream that was reset to have it calm down. */
const STREAM_RESET = /^Bandwidth exhausted/

/**
 * How grpc-js words, besides UNAVAILABLE, that a connection was cut in mid call. Node ends one with an error on which very many calls are given up
 * within a short time: a thousand, and 33 a second.
 */
const CONNECTION_CUT =
  /^Call cancelled$|Call ended without gRPC status|Session closed with error code/

function isConnectionLoss({ code, details }: ServiceError): boolean {
  return code === status.UNAVAILABLE || CONNECTION_CUT.test(details)
}

/** Only the caller knows which address it was, and what sets it. */
function mixUp({ message, metadata }: ErrorDetails, { target }: CallOptions): string {
  if (target?.variable === undefined) return message
  const { answered, meant } = metadata ?? {}
  return `${target.address} is ${answered}, not ${meant}. ${target.variable} sets the address.`
}

function unreachable(cause: ServiceError, options: CallOptions): OffstageError {
  const code = status.UNAVAILABLE
  const message = `cannot reach ${whereabouts(options)}: ${causeIn(cause.details)}.${hint(options)}`
  return new OffstageError({ code, reason: 'SERVICE_UNREACHABLE', message, cause })
}

function whereabouts({ target }: CallOptions): string {
  const service = target?.service ?? 'the service'
  return target === undefined ? service : `${service} at ${target.address}`
}

function hint({ target }: CallOptions): string {
  return target?.variable === undefined
    ? ' Is it running?'
    : ` Is it running? ${target.variable} sets the address.`
}

/** grpc-js wraps the error of the socket in remarks about itself. */
function causeIn(text: string): string {
  const socketError = /Last error: (?:Error: )?(.+?)\. Resolution note:/.exec(text)?.[1]
  return socketError ?? (CONNECTION_CUT.test(text) ? 'the connection broke' : text)
}

function lateness({ details }: ServiceError, options: CallOptions): string {
  const limit = options.deadlineMs === undefined ? '' : ` of ${options.deadlineMs} ms`
  const late = `the call did not finish within its deadline${limit}`
  if (!/waiting for/i.test(details)) return late
  return `${late}: no connection to ${whereabouts(options)}.${hint(options)}`
}

/** Recognizes the three ways grpc-js words it, on the sending and the receiving side. */
function sizesIn(text: string): string | undefined {
  const pair = /larger than max \((\d+) vs\.? (\d+)\)/.exec(text)
  if (pair) return `a message of ${pair[1]} bytes is over the limit of ${pair[2]} bytes`
  const limit = /size larger than (\d+)/.exec(text)
  return limit ? `a message is over the limit of ${limit[1]} bytes` : undefined
}
