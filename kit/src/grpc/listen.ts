import { type Server, ServerCredentials } from '@grpc/grpc-js'

/** `host:port`, with the brackets an IPv6 address needs. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Binds the server; resolves to the port, which is a free one where 0 was asked for. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  const address = addressOf(host, port)
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(new Error(`cannot listen on ${address}: ${problemOf(error)}`, { cause: error }))
    })
  })
}

function problemOf(error: Error): string {
  if (error.message.includes('EADDRINUSE')) return 'another process uses the port'
  if (error.message.includes('EACCES')) return 'ports below 1024 need privileges; choose another'
  if (error.message.includes('EADDRNOTAVAIL')) return 'the host is not an address of this machine'
  return error.message
}
