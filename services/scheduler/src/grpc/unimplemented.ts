import type { handleUnaryCall } from '@grpc/grpc-js'
import { unary } from '@offstage/kit/grpc'
import { notImplemented } from '../refusals.ts'

/** Answers UNIMPLEMENTED with the reason NOT_IMPLEMENTED, naming the call. */
export function unimplemented<Req, Res>(call: string): handleUnaryCall<Req, Res> {
  return unary<Req, Res>(() => {
    throw notImplemented(call)
  })
}
