/** For tests: a small service of all four call shapes, served for real, with a client. */

import {
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  credentials,
  type Metadata,
  type MethodDefinition,
  makeGenericClientConstructor,
  type requestCallback,
} from '@grpc/grpc-js'
import { createLogger } from '../telemetry/mod.ts'
import { bidiStream } from './bidi-stream.ts'
import type { Implementation } from './bind-services.ts'
import { clientStream } from './client-stream.ts'
import { createGrpcServer, type GrpcServer, type GrpcServerOptions } from './server.ts'
import { serverStream } from './server-stream.ts'
import { unary } from './unary.ts'

export interface Echo {
  readonly text: string
}

/** A text that is sent as bytes nobody can decode. */
export const UNREADABLE = 'unreadable'

type EchoMethod = MethodDefinition<Echo, Echo>

function method(name: string, requestStream: boolean, responseStream: boolean): EchoMethod {
  const serialize = (message: Echo) =>
    Buffer.from(message.text === UNREADABLE ? '{' : JSON.stringify(message))
  const deserialize = (bytes: Buffer): Echo => JSON.parse(bytes.toString())
  return {
    path: `/offstage.test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  }
}

export const echoDefinition = {
  one: method('One', false, false),
  down: method('Down', false, true),
  up: method('Up', true, false),
  both: method('Both', true, true),
}

const echoes: Implementation = {
  one: unary('identified', (request: Echo) => request),
  down: serverStream('identified', async function* (request: Echo) {
    for (const text of request.text) yield { text }
  }),
  up: clientStream('identified', async (requests: AsyncIterable<Echo>) => {
    let all = ''
    for await (const { text } of requests) all += text
    return { text: all }
  }),
  both: bidiStream<Echo, Echo>('identified', async (call) => {
    for await (const request of call.requests) call.send(request)
  }),
}

export interface EchoClient extends Client {
  one(m: Echo, md: Metadata, o: CallOptions, done: requestCallback<Echo>): ClientUnaryCall
  down(m: Echo, md: Metadata, o: CallOptions): ClientReadableStream<Echo>
  up(md: Metadata, o: CallOptions, done: requestCallback<Echo>): ClientWritableStream<Echo>
  both(md: Metadata, o: CallOptions): ClientDuplexStream<Echo, Echo>
}

export interface EchoServer extends AsyncDisposable {
  readonly server: GrpcServer
  readonly client: EchoClient
  /** Parsed log lines of level error. */
  readonly faults: Record<string, unknown>[]
}

const EchoClient = makeGenericClientConstructor(echoDefinition, 'Echo') as unknown as {
  new (...init: ConstructorParameters<typeof Client>): EchoClient
}

/** Serves the echo service, with some handlers replaced, on a free port of 127.0.0.1. */
export async function serveEcho(
  handlers: Implementation = {},
  options: Partial<GrpcServerOptions> = {},
): Promise<EchoServer> {
  const faults: Record<string, unknown>[] = []
  const destination = { write: (line: string) => faults.push(JSON.parse(line)) }
  const implementation = { ...echoes, ...handlers }
  const server = createGrpcServer({
    name: 'echo',
    host: '127.0.0.1',
    port: 0,
    services: [{ definition: echoDefinition, implementation }],
    log: createLogger({ name: 'echo', level: 'error', destination }),
    stopGraceMs: 1_000,
    ...options,
  })
  await server.start()
  const client = new EchoClient(server.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
  })
  return {
    server,
    client,
    faults,
    async [Symbol.asyncDispose]() {
      client.close()
      await server.stop()
    },
  }
}
