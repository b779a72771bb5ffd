/** What stands before the calls of a server: which connections are let in, and which stay. */
import type { Http2Server, IncomingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import type { Server } from '@grpc/grpc-js'
import type { Logger, Measures } from '../telemetry/mod.ts'
import { oncePerMinute } from '../telemetry/once-per-minute.ts'
import { Arrivals } from './arrivals.ts'
import { Connections } from './connections.ts'
import { onHttp2Server } from './http2-servers.ts'
import { Strangers } from './strangers.ts'

const CLOSED =
  'a connection is closed: nobody known called on it, and too many others did; further ones of its address are let in slowly'

export interface Door {
  readonly strangers: Strangers
  readonly measures: Measures
  /** Stands before a server that does not listen yet; `asked` are the paths of calls that somebody has to be known for. */
  guard(server: Server, asked: Pick<ReadonlyMap<string, unknown>, 'has'>): void
  stop(): Promise<void>
  /** Cuts the connections that are left. */
  cut(): void
}

export function createDoor(log: Logger): Door {
  const arrivals = new Arrivals()
  const connections = new Connections()
  const tell = oncePerMinute((address, more) => log.warn({ address, more }, CLOSED))
  const strangers = new Strangers(arrivals, (session, address) => {
    tell(address)
    connections.close(session)
  })
  return {
    strangers,
    measures: measuresOf(arrivals, strangers),
    guard(server, asked) {
      onHttp2Server(server, (http2Server) => {
        connections.watch(http2Server)
        letInInTurn(http2Server, arrivals)
        http2Server.prependListener('stream', (stream, headers, _flags, rawHeaders: string[]) => {
          const isAsked = asked.has(headers[':path'] ?? '') && isGrpc(headers)
          if (!isAsked) strangers.visitOf(stream)?.passed()
          tellTwoTokens(headers, rawHeaders)
        })
      })
    },
    stop() {
      arrivals.stop()
      return connections.stop()
    },
    cut: () => connections.cut(),
  }
}

function letInInTurn(http2Server: Http2Server, arrivals: Arrivals): void {
  const listeners = http2Server.listeners('connection')
  http2Server.removeAllListeners('connection')
  http2Server.on('connection', (socket: Socket) => {
    arrivals.arrive(socket, () => {
      for (const listener of listeners) listener.call(http2Server, socket)
    })
  })
}

/** Others are answered by grpc-js itself. */
function isGrpc({ 'content-type': type }: IncomingHttpHeaders): boolean {
  return type?.startsWith('application/grpc') ?? false
}

/** Node gives the first of two and drops the other, though a proxy before it may have looked at that. */
function tellTwoTokens(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
  const first = rawHeaders.indexOf('authorization')
  if (first < 0) return
  // Names are at even places; a value of that name harms nobody but its sender.
  if (rawHeaders.indexOf('authorization', first + 1) < 0) return
  const both: Record<string, unknown> = headers
  both.authorization = [rawHeaders[first + 1], '']
}

function measuresOf({ counts: arrived }: Arrivals, { counts }: Strangers): Measures {
  const counter = (name: string, help: string, read: () => number) =>
    ({ name: `offstage_strangers_${name}_total`, help, kind: 'counter', read }) as const
  return {
    metrics: [
      counter('refused_calls', 'Calls whose callers were not taken', () => counts.refusals),
      counter(
        'closed_connections',
        'Connections closed as nobody known called on them, and too many others',
        () => counts.closed,
      ),
      counter(
        'held_connections',
        'Connections that waited to be let in, for what their address had cost',
        () => arrived.held,
      ),
      counter(
        'rejected_connections',
        'Connections that were not let in, as too many of their address waited',
        () => arrived.turnedAway,
      ),
    ],
  }
}
