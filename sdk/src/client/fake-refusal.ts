/** For tests: refusals as a service sends them. */
import { Metadata, type status } from '@grpc/grpc-js'
import { encodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import type { Reason } from '@offstage/proto/reasons'

/** A refusal to be answered. */
export interface Refused {
  readonly code: status
  readonly reason: Reason
}

/** The error a handler answers with. */
export function refusalOf({ code, reason }: Refused) {
  const metadata = new Metadata()
  metadata.set(STATUS_DETAILS_KEY, encodeErrorDetails({ code, reason, message: reason }))
  return Object.assign(new Error(reason), { code, details: reason, metadata })
}
