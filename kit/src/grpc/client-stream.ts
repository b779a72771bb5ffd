import type { handleClientStreamingCall } from '@grpc/grpc-js'
import type { CallContext } from './call-context.ts'
import { answer, bindable, inSpan } from './edge.ts'
import { requestsOf } from './request-stream.ts'

/**
 * Serves a call of many requests and one answer. The requests are read as fast as the handler takes
 * them; when the call is aborted their iteration throws the reason.
 */
export function clientStream<Req, Res>(
  handler: (requests: AsyncIterable<Req>, context: CallContext) => Promise<Res>,
): handleClientStreamingCall<Req, Res> {
  return bindable<handleClientStreamingCall<Req, Res>>(
    'clientStream',
    (edge) => (call, callback) => {
      inSpan(call, () =>
        answer(edge, call, callback, (context) => handler(requestsOf(call, context), context)),
      )
    },
  )
}
