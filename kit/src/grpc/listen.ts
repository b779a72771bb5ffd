import { logVerbosity, type Server, type ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import { UnavailableError } from '../config/unavailable-error.ts'

// By itself grpc-js writes to standard error what its errors say as well.
const asked = process.env.GRPC_NODE_VERBOSITY ?? process.env.GRPC_VERBOSITY
if (asked === undefined) setLogVerbosity(logVerbosity.NONE)

/** The address cannot be listened on: its port is taken, or it is none of this machine's. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** For the start of a server whose port is in a variable: throws a ListenError as one that names the variable. */
export function namingPort(variable: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ListenError)) throw error
    throw new UnavailableError(variable, error.message, { cause: error })
  }
}

/** `host:port`, with the brackets an IPv6 address needs. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Binds the server; resolves to the port, which is a free one where 0 was asked for. */
export function listen(
  server: Server,
  host: string,
  port: number,
  credentials: ServerCredentials,
): Promise<number> {
  const address = addressOf(host, port)
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound)
      else {
        const problem = `cannot listen on ${address}: ${problemOf(error)}`
        reject(new ListenError(problem, { cause: error }))
      }
    })
  })
}

function problemOf(error: Error): string {
  if (error.message.includes('EADDRINUSE')) return 'another process uses the port'
  if (error.message.includes('EACCES')) return 'ports below 1024 need privileges; choose another'
  if (error.message.includes('EADDRNOTAVAIL')) return 'the host is not an address of this machine'
  return error.message
}
