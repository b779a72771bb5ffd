import type { handleUnaryCall } from '@grpc/grpc-js'
import type { CallContext } from './call-context.ts'
import { answer, bindable, inSpan } from './edge.ts'
import { readable } from './unreadable.ts'

/** Serves a call of one request and one answer. */
export function unary<Req, Res>(
  handler: (request: Req, context: CallContext) => Promise<Res> | Res,
): handleUnaryCall<Req, Res> {
  return bindable<handleUnaryCall<Req, Res>>('unary', (edge) => (call, callback) => {
    inSpan(call, () =>
      answer(edge, call, callback, (context) => handler(readable(call.request), context)),
    )
  })
}
