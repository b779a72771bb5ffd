import { bidiStream, type GuardedService } from '@offstage/kit/grpc'
import type { AttachRequest, AttachResponse, ExecutorServiceServer } from '@offstage/proto/executor'
import type { Executors } from '../executors/executors.ts'
import type { ExecutorConnection } from '../executors/serve-executor.ts'
import { attachElsewhere, invalidField } from '../refusals.ts'
import type { DeclareSchedules } from '../schedules/declare.ts'
import { callerOf } from './caller.ts'
import { declarationsFrom } from './declared-mapping.ts'
import { incomingFrom, outcomesTo, outgoingTo, welcomeTo } from './executor-mapping.ts'
import { helloFrom } from './hello-mapping.ts'
import { untilAborted } from './until-aborted.ts'

const NO_SCHEDULES = { schedules: [], methods: [] }

export function executorService(
  { serve, schedulerName }: Pick<Executors, 'serve' | 'schedulerName'>,
  declare: DeclareSchedules,
): Pick<GuardedService<ExecutorServiceServer>, 'attach'> {
  return {
    attach: bidiStream<AttachRequest, AttachResponse>('executors.attach', async (call, context) => {
      const { actor, signal } = context
      let connection: ExecutorConnection | undefined
      const ended = new AbortController()
      try {
        for await (const frame of untilAborted(call.requests, ended.signal)) {
          if (connection === undefined) {
            const hello = helloFrom(actor, frame.hello)
            const declarations = declarationsFrom(
              actor,
              hello.namespace,
              frame.hello ?? NO_SCHEDULES,
            )
            const over = AbortSignal.any([signal, ended.signal])
            connection = await serve(hello, {
              welcome: (sessionId, leaseMs) =>
                call.send(welcomeTo(sessionId, leaseMs, schedulerName)),
              send: (outgoing) => call.send(outgoingTo(outgoing)),
              end: () => ended.abort(attachElsewhere()),
              signal: over,
            })
            // Nothing waits for it: jobs are given and results taken in meanwhile.
            if (declarations.length > 0) {
              void declare(callerOf(context), hello.namespace, declarations, over).then(
                (outcomes) => call.send(outcomesTo(outcomes)),
              )
            }
          } else if (frame.hello !== undefined) {
            throw invalidField('hello', 'must be in the first message only')
          }
          await connection.receive(incomingFrom(frame))
        }
        await connection?.leave()
      } finally {
        connection?.close()
      }
    }),
  }
}
