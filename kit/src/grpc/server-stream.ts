import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js'
import { drained } from './answer-stream.ts'
import type { CallContext, ServerCall } from './call-context.ts'
import { bindable, conduct, inSpan } from './edge.ts'
import { readable } from './unreadable.ts'

/**
 * Serves a call of one request and many answers, each taken from the handler only when the client
 * has room for it. When the call is aborted the handler's iterator is returned and the call ends
 * with the reason, so a watch cut short by a stopping server never looks complete.
 */
export function serverStream<Req, Res>(
  handler: (request: Req, context: CallContext) => AsyncIterable<Res>,
): handleServerStreamingCall<Req, Res> {
  return bindable<handleServerStreamingCall<Req, Res>>('serverStream', (edge) => (call) => {
    inSpan(call, () =>
      conduct(edge, call, (context) =>
        pump(handler(readable(call.request), context), call, context),
      ),
    )
  })
}

async function pump<Req, Res>(
  answers: AsyncIterable<Res>,
  call: ServerWritableStream<Req, Res>,
  context: ServerCall,
): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]()
  // Reaches handlers that wait in next(); one that ignores both is cut off by the server's grace.
  const cut = () => void iterator.return?.().catch(() => {})
  const { signal } = context
  signal.addEventListener('abort', cut, { once: true })
  for (;;) {
    signal.throwIfAborted()
    const step = await iterator.next()
    if (step.done) break
    if (!call.cancelled && !call.write(step.value)) await drained(call)
  }
  signal.removeEventListener('abort', cut)
  signal.throwIfAborted()
}
