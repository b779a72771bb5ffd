import { once } from 'node:events'
import { type ClientHttp2Stream, connect } from 'node:http2'

/** What HTTP/2 sends to a client that takes nothing, unless the client says otherwise. */
export const HTTP2_WINDOW_BYTES = 64 * 1024 - 1

/** A gRPC client that takes what the window holds and no more. Disposing breaks its connection. */
export interface StalledReader extends Disposable {
  /** Resume it to read on: the bare bytes of the answers. */
  readonly stream: ClientHttp2Stream
  /** Bytes its socket has had. */
  received(): number
}

/** Calls a method (`/package.Service/Method`) of the server at `address` with one encoded message. */
export async function openStalledReader(
  address: string,
  method: string,
  message: Uint8Array,
  headers: Record<string, string> = {},
): Promise<StalledReader> {
  const session = connect(`http://${address}`)
  session.on('error', () => {
    // The server may go first.
  })
  await once(session, 'connect')
  const stream = session.request({
    ...{ ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  })
  stream.on('error', () => {
    // It is going to be broken off.
  })
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  stream.pause().end(Buffer.concat([prefix, message]))
  return {
    stream,
    received: () => session.socket.bytesRead,
    [Symbol.dispose]: () => session.destroy(),
  }
}
