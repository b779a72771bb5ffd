import type { handleBidiStreamingCall } from '@grpc/grpc-js'
import type { Right } from '../auth/mod.ts'
import { drained } from './answer-stream.ts'
import type { CallContext } from './call-context.ts'
import { bindable, conduct, type Guarded } from './call-shapes.ts'
import { requestsOf } from './request-stream.ts'
import { written } from './written.ts'

/** Both directions of a call that stays open. */
export interface BidiCall<Req, Res> {
  /** Ends when the client has no more to send; throws the reason when the call is aborted. */
  readonly requests: AsyncIterable<Req>
  /** Queues a message. False: the client is behind (wait for {@link drained}) or gone. */
  send(message: Res): boolean
  /** Sends a message; resolves when it has left this process, and rejects with SLOW_READER when the client takes nothing. */
  write(message: Res): Promise<void>
  /** Resolves when there is room again, or never will be. */
  drained(): Promise<void>
}

/**
 * Serves a call of many requests and many answers. It ends when the handler returns; where it was aborted meanwhile it ends with
 * the reason, so what was cut short never looks complete. Such calls live
 * for hours, so they have no span of their own.
 */
export function bidiStream<Req, Res>(
  right: Right,
  handler: (call: BidiCall<Req, Res>, context: CallContext) => Promise<void>,
): Guarded<handleBidiStreamingCall<Req, Res>> {
  return bindable<handleBidiStreamingCall<Req, Res>>('bidiStream', right, (edge) => (call) => {
    void conduct(edge, right, call, async (context) => {
      const requests = requestsOf<Req>(call, context)
      const send = (message: Res) => !call.writableEnded && !call.destroyed && call.write(message)
      const write = async (message: Res) => {
        if (!call.writableEnded && !call.destroyed) await written(call, message, edge.readers)
      }
      await handler({ requests, send, write, drained: () => drained(call) }, context)
      context.signal.throwIfAborted()
    })
  })
}
