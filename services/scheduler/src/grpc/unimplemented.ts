import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Right } from '@offstage/kit/auth'
import { type Guarded, unary } from '@offstage/kit/grpc'
import { notImplemented } from '../refusals.ts'

/** Answers UNIMPLEMENTED with the reason NOT_IMPLEMENTED, naming the call. */
export function unimplemented<Req, Res>(
  right: Right,
  call: string,
): Guarded<handleUnaryCall<Req, Res>> {
  return unary<Req, Res>(right, () => {
    throw notImplemented(call)
  })
}
