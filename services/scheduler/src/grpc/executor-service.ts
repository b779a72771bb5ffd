import { bidiStream, type GuardedService } from '@offstage/kit/grpc'
import type { AttachRequest, AttachResponse, ExecutorServiceServer } from '@offstage/proto/executor'
import type { Executors } from '../executors/executors.ts'
import type { ExecutorConnection } from '../executors/serve-executor.ts'
import { attachElsewhere, invalidField } from '../refusals.ts'
import { incomingFrom, outgoingTo, welcomeTo } from './executor-mapping.ts'
import { helloFrom } from './hello-mapping.ts'
import { untilAborted } from './until-aborted.ts'

export function executorService({
  serve,
  leaseMs,
  schedulerName,
}: Pick<Executors, 'serve' | 'leaseMs' | 'schedulerName'>): Pick<
  GuardedService<ExecutorServiceServer>,
  'attach'
> {
  return {
    attach: bidiStream<AttachRequest, AttachResponse>(
      'executors.attach',
      async (call, { actor, signal }) => {
        let connection: ExecutorConnection | undefined
        const ended = new AbortController()
        try {
          for await (const frame of untilAborted(call.requests, ended.signal)) {
            if (connection === undefined) {
              connection = await serve(helloFrom(actor, frame.hello), {
                welcome: (sessionId) => call.send(welcomeTo(sessionId, leaseMs, schedulerName)),
                send: (outgoing) => call.send(outgoingTo(outgoing)),
                end: () => ended.abort(attachElsewhere()),
                signal: AbortSignal.any([signal, ended.signal]),
              })
            } else if (frame.hello !== undefined) {
              throw invalidField('hello', 'must be in the first message only')
            }
            await connection.receive(incomingFrom(frame))
          }
          await connection?.leave()
        } finally {
          connection?.close()
        }
      },
    ),
  }
}
