import type { FaultStatus } from '@offstage/kit/grpc'
import { STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { Status } from '@offstage/proto/rpc'

/** A fault as it stands inside an answer: the same google.rpc.Status a failed call would carry. */
export function rpcStatusOf({ code, details, metadata }: FaultStatus): Status {
  const bytes = metadata.get(STATUS_DETAILS_KEY)[0]
  if (Buffer.isBuffer(bytes)) return Status.decode(bytes)
  return { code, message: details, details: [] }
}
