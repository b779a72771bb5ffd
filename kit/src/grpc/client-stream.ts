import type { handleClientStreamingCall } from '@grpc/grpc-js'
import type { Right } from '../auth/mod.ts'
import type { CallContext } from './call-context.ts'
import { answer, bindable, type Guarded, inSpan } from './call-shapes.ts'
import { requestsOf } from './request-stream.ts'

/**
 * Serves a call of many requests and one answer. The requests are read as fast as the handler takes
 * them; when the call is aborted their iteration throws the reason.
 */
export function clientStream<Req, Res>(
  right: Right,
  handler: (requests: AsyncIterable<Req>, context: CallContext) => Promise<Res>,
): Guarded<handleClientStreamingCall<Req, Res>> {
  return bindable<handleClientStreamingCall<Req, Res>>(
    'clientStream',
    right,
    (edge) => (call, callback) => {
      inSpan(call, () =>
        answer(
          edge,
          right,
          call,
          callback,
          (context) => handler(requestsOf(call, context), context),
          'streams',
        ),
      )
    },
  )
}
