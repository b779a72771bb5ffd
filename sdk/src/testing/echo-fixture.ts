/** For tests: a small service of all four call shapes on a bare grpc-js server, and its client. */

import {
  Client,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { BidiMethod } from '../grpc/bidi-stream.ts'
import { type Channel, type ChannelOptions, createChannel } from '../grpc/channel.ts'
import type { ClientStreamMethod } from '../grpc/client-stream.ts'
import type { ServerStreamMethod } from '../grpc/server-stream.ts'
import type { UnaryMethod } from '../grpc/unary.ts'

export interface Echo {
  readonly text: string
}

type EchoMethod = MethodDefinition<Echo, Echo>

const serialize = (message: Echo) => Buffer.from(JSON.stringify(message))
const deserialize = (bytes: Buffer): Echo => JSON.parse(bytes.toString())

function method(name: string, requestStream: boolean, responseStream: boolean): EchoMethod {
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

const definition = {
  one: method('One', false, false),
  down: method('Down', false, true),
  up: method('Up', true, false),
  both: method('Both', true, true),
}

export interface EchoMethods {
  readonly one: UnaryMethod<Echo, Echo>
  readonly down: ServerStreamMethod<Echo, Echo>
  readonly up: ClientStreamMethod<Echo, Echo>
  readonly both: BidiMethod<Echo, Echo>
}

/** The methods a generated client would have, over this channel. */
export function echoMethods(channel: Channel): EchoMethods {
  const client = channel.client(Client)
  const both = [serialize, deserialize] as const
  return {
    one: (request, metadata, options, done) =>
      client.makeUnaryRequest(definition.one.path, ...both, request, metadata, options, (e, r) =>
        done(e, r as Echo),
      ),
    down: (request, metadata, options) =>
      client.makeServerStreamRequest(definition.down.path, ...both, request, metadata, options),
    up: (metadata, options, done) =>
      client.makeClientStreamRequest(definition.up.path, ...both, metadata, options, (e, r) =>
        done(e, r as Echo),
      ),
    both: (metadata, options) =>
      client.makeBidiStreamRequest(definition.both.path, ...both, metadata, options),
  }
}

export interface EchoServer extends EchoMethods, Disposable {
  readonly channel: Channel
  readonly address: string
  /** Cuts every connection at once, as a killed process does. */
  kill(): void
}

/** Serves handlers written for grpc-js, on a free port of 127.0.0.1 unless it is told where. */
export async function serveEcho(
  handlers: UntypedServiceImplementation,
  options: ChannelOptions = {},
  [host, at]: readonly [host: string, port: number] = ['127.0.0.1', 0],
): Promise<EchoServer> {
  const server = new Server()
  server.addService(definition, handlers)
  const { promise: bound, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync(`${host}:${at}`, ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  )
  const address = `${host}:${await bound}`
  const channel = createChannel(address, options)
  const kill = () => server.forceShutdown()
  return {
    ...echoMethods(channel),
    channel,
    address,
    kill,
    [Symbol.dispose]() {
      channel.close()
      kill()
    },
  }
}
