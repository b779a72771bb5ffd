import { once } from 'node:events'
import { connect } from 'node:net'
import { Client, credentials } from '@grpc/grpc-js'
import type { ProcessSpec } from './processes.ts'

/** Long enough for a busy machine, short enough to ask again. */
const ASK_MS = 2_000
/** A grpc.health.v1.HealthCheckResponse whose status is SERVING. */
const SERVING = Buffer.of(8, 1)

/** Whether the process is ready now. Never rejects. */
export function isReady({ ready }: ProcessSpec): Promise<boolean> {
  return ready.kind === 'tcp' ? takesConnections(ready.port) : isServing(ready.port)
}

export async function takesConnections(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function isServing(port: number): Promise<boolean> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  const asIs = (bytes: Buffer) => bytes
  const answer = Promise.withResolvers<boolean>()
  client.makeUnaryRequest(
    '/grpc.health.v1.Health/Check',
    asIs,
    asIs,
    Buffer.alloc(0),
    { deadline: Date.now() + ASK_MS },
    (error, response) => answer.resolve(error === null && response?.equals(SERVING) === true),
  )
  return answer.promise.finally(() => client.close())
}
