import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Right } from '../auth/mod.ts'
import type { Turns } from '../fairness/mod.ts'
import type { CallContext } from './call-context.ts'
import { answer, bindable, type Guarded, inSpan } from './call-shapes.ts'
import { readable } from './unreadable.ts'

/** Serves a call of one request and one answer; with `turns`, when it is its caller's turn. */
export function unary<Req, Res>(
  right: Right,
  handler: (request: Req, context: CallContext) => Promise<Res> | Res,
  turns?: Turns,
): Guarded<handleUnaryCall<Req, Res>> {
  return bindable<handleUnaryCall<Req, Res>>('unary', right, (edge) => (call, callback) => {
    inSpan(call, () =>
      answer(edge, right, call, callback, (context) => {
        const work = () => handler(readable(call.request), context)
        return turns === undefined
          ? work()
          : turns.take(context.actor.user, context, async () => work())
      }),
    )
  })
}
