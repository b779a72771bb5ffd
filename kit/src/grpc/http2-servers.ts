import type { Http2Server } from 'node:http2'
import type { Server, ServerCredentials } from '@grpc/grpc-js'

/** What of the server of grpc-js its type does not have. */
interface Making {
  createHttp2Server(credentials: ServerCredentials): Http2Server
}

/** Tells of each server of node:http2 before it listens: grpc-js makes one for each address, and shows it to nobody. */
export function onHttp2Server(server: Server, adapt: (http2Server: Http2Server) => void): void {
  const making = server as unknown as Making
  const create = making.createHttp2Server.bind(server)
  making.createHttp2Server = (credentials) => {
    const http2Server = create(credentials)
    adapt(http2Server)
    return http2Server
  }
}
