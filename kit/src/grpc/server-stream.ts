import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js'
import type { Right } from '../auth/mod.ts'
import type { CallContext, ServerCall } from './call-context.ts'
import { bindable, conduct, type Guarded, inSpan } from './call-shapes.ts'
import type { SlowReaders } from './slow-readers.ts'
import { readable } from './unreadable.ts'
import { written } from './written.ts'

/**
 * Serves a call of one request and many answers, one at a time: the next is taken from the handler
 * only when the one before has left this process. So a reader that stalls holds one answer in memory,
 * and a handler that goes on after an answer knows that the kernel has it, within the flow control of
 * HTTP/2; whether the client has it is not known. When the call is aborted the handler's iterator is
 * returned and the call ends with the reason, so a watch cut short by a stopping server never looks
 * complete. `transfer`: one thing in many parts, such as a download, which goes on to its end though the token ends meanwhile.
 */
export function serverStream<Req, Res>(
  right: Right,
  handler: (request: Req, context: CallContext) => AsyncIterable<Res>,
  kind: 'standing' | 'transfer' = 'standing',
): Guarded<handleServerStreamingCall<Req, Res>> {
  return bindable<handleServerStreamingCall<Req, Res>>('serverStream', right, (edge) => (call) => {
    inSpan(call, () =>
      conduct(
        edge,
        right,
        call,
        (context) => pump(handler(readable(call.request), context), call, context, edge.readers),
        kind === 'standing',
      ),
    )
  })
}

async function pump<Req, Res>(
  answers: AsyncIterable<Res>,
  call: ServerWritableStream<Req, Res>,
  context: ServerCall,
  readers: SlowReaders,
): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]()
  const { signal } = context
  let goOn = () => {}
  const cut = () => {
    // Reaches handlers that wait in next(); one that ignores both is cut off by the server's grace.
    void iterator.return?.().catch(() => {})
    goOn()
  }
  signal.addEventListener('abort', cut, { once: true })
  for (;;) {
    signal.throwIfAborted()
    const step = await iterator.next()
    if (step.done) break
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      goOn = resolve
      written(call, step.value, readers).then(resolve, reject)
    }).catch((slow) => {
      cut()
      throw slow
    })
  }
  signal.removeEventListener('abort', cut)
  signal.throwIfAborted()
}
