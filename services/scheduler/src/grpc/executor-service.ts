import { type BidiCall, bidiStream, type GuardedService } from '@offstage/kit/grpc'
import type { Logger } from '@offstage/kit/telemetry'
import type { AttachRequest, AttachResponse, ExecutorServiceServer } from '@offstage/proto/executor'
import type { AttemptTokens } from '../attempts/attempt-tokens.ts'
import type { Outgoing } from '../executors/attachment.ts'
import type { Executors } from '../executors/executors.ts'
import type { ExecutorConnection } from '../executors/serve-executor.ts'
import { attachElsewhere, invalidField } from '../refusals.ts'
import {
  discardedFrame,
  discardedTo,
  incomingFrom,
  outgoingTo,
  welcomeTo,
} from './executor-mapping.ts'
import { helloFrom } from './hello-mapping.ts'
import { untilAborted } from './until-aborted.ts'

export function executorService(
  { serve, leaseMs, schedulerName }: Pick<Executors, 'serve' | 'leaseMs' | 'schedulerName'>,
  tokens: Pick<AttemptTokens, 'discard'> | undefined,
  log: Logger,
): Pick<GuardedService<ExecutorServiceServer>, 'attach'> {
  /** What is discarded goes by itself, once there are tokens for it: nothing waits for that. */
  const sendTo = (call: BidiCall<AttachRequest, AttachResponse>, frame: Outgoing) => {
    const { discarded } = frame
    if (tokens === undefined || discarded.length === 0) return call.send(outgoingTo(frame))
    const sent = call.send(outgoingTo({ ...frame, discarded: [] }))
    Promise.all(discarded.map((job) => discardedTo(job, tokens))).then(
      (values) => call.send(discardedFrame(values)),
      (err) => log.warn({ err }, 'no tokens for values that nobody needs; they end by themselves'),
    )
    return sent
  }
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
                send: (outgoing) => sendTo(call, outgoing),
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
