/** The payload of a refusal as it crosses the wire: `google.rpc.Status` in one metadata entry. */

import { durationFrom, msFrom } from './durations.ts'
import { ERROR_DOMAIN } from './reasons.ts'
import { BadRequest, ErrorInfo, Help, RetryInfo, Status } from './rpc.ts'

/** The metadata key gRPC keeps for a serialized `google.rpc.Status`. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin'

export interface FieldViolation {
  /** Path of the field in the request, e.g. `params.top`. */
  readonly field: string
  readonly description: string
}

export interface ErrorDetails {
  /** gRPC status code. */
  readonly code: number
  readonly message: string
  /** From ErrorInfo of domain `offstage`; absent when the status carries none. */
  readonly reason?: string
  /** ErrorInfo metadata: facts for programs, e.g. the id of the job that holds a key. */
  readonly metadata?: Readonly<Record<string, string>>
  /** From BadRequest. */
  readonly violations?: readonly FieldViolation[]
  /** From RetryInfo: how long to wait before trying again. */
  readonly retryDelayMs?: number
  /** From Help: where the reason is explained. */
  readonly helpUrl?: string
}

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.'

export function encodeErrorDetails(fault: ErrorDetails): Buffer {
  const details: Status['details'] = []
  const add = (type: string, value: Uint8Array) =>
    details.push({ typeUrl: TYPE_PREFIX + type, value: Buffer.from(value) })
  if (fault.reason !== undefined) {
    const metadata = { ...fault.metadata }
    const info = { reason: fault.reason, domain: ERROR_DOMAIN, metadata }
    add('ErrorInfo', ErrorInfo.encode(info).finish())
  }
  if (fault.violations !== undefined && fault.violations.length > 0) {
    const request = BadRequest.fromPartial({ fieldViolations: [...fault.violations] })
    add('BadRequest', BadRequest.encode(request).finish())
  }
  if (fault.retryDelayMs !== undefined) {
    const retryDelay = durationFrom(fault.retryDelayMs)
    add('RetryInfo', RetryInfo.encode({ retryDelay }).finish())
  }
  if (fault.helpUrl !== undefined) {
    const printed = fault.reason === undefined ? '' : `; offstage help errors ${fault.reason}`
    const description = `What the reason means and what to do${printed}`
    const links = [{ description, url: fault.helpUrl }]
    add('Help', Help.encode({ links }).finish())
  }
  const status = { code: fault.code, message: fault.message, details }
  return Buffer.from(Status.encode(status).finish())
}

/**
 * Reads what {@link encodeErrorDetails} wrote. Details of other kinds and domains are passed over;
 * bytes that are no Status at all throw.
 */
export function decodeErrorDetails(bytes: Uint8Array): ErrorDetails {
  const status = Status.decode(bytes)
  const found: { -readonly [K in keyof ErrorDetails]: ErrorDetails[K] } = {
    code: status.code,
    message: status.message,
  }
  for (const { typeUrl, value } of status.details) {
    switch (typeUrl.slice(typeUrl.lastIndexOf('/') + 1)) {
      case 'google.rpc.ErrorInfo': {
        const info = ErrorInfo.decode(value)
        if (info.domain !== ERROR_DOMAIN) break
        found.reason = info.reason
        found.metadata = info.metadata
        break
      }
      case 'google.rpc.BadRequest':
        found.violations = BadRequest.decode(value).fieldViolations
        break
      case 'google.rpc.RetryInfo': {
        const { retryDelay } = RetryInfo.decode(value)
        if (retryDelay) found.retryDelayMs = msFrom(retryDelay)
        break
      }
      case 'google.rpc.Help':
        found.helpUrl = Help.decode(value).links[0]?.url
        break
    }
  }
  return found
}
