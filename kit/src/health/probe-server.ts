/**
 * A plain HTTP port for probes, with nothing else on it, so that they need neither certificate nor token: `/livez` says that the
 * process answers, `/readyz` whether it should be given work. Neither asks the database: while that is away every replica is as
 * good as another, and a process that is restarted for it does not bring it back.
 *
 * 1. Whoever reaches it can hold little: one small request for each connection, for seconds, on a bounded number of connections,
 *    of which the oldest gives way to the newest, so that nobody who dials and keeps silent shuts the probes out.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createService, type Service } from '../lifecycle/mod.ts'

export interface ProbeServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Why there should be no work for the process now; undefined where there may be. */
  unready(): string | undefined
}

export interface ProbeServer extends Service {
  /** The port really bound, once started. */
  readonly port: number
}

/** What a path answers. */
export interface Answer {
  readonly code: 200 | 404 | 405 | 503
  readonly text: string
}

const HEADER_BYTES_MAX = 4 * 1024
const REQUEST_MS_MAX = 5_000
const CONNECTIONS_MAX = 64

export function createProbeServer(options: ProbeServerOptions): ProbeServer {
  const paths: Readonly<Record<string, () => Answer>> = {
    '/livez': () => ({ code: 200, text: 'live' }),
    '/readyz': () => readiness(options.unready()),
  }
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: REQUEST_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: REQUEST_MS_MAX / 5,
    },
    (request, response) => answer(request, response, paths),
  )
  boundConnections(server)
  let { port } = options
  const service = createService({
    name: 'probes',
    async start() {
      server.listen(options.port, options.host)
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  })
  return {
    ...service,
    get port() {
      return port
    },
  }
}

function readiness(unready: string | undefined): Answer {
  return unready === undefined ? { code: 200, text: 'ready' } : { code: 503, text: unready }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  paths: Readonly<Record<string, () => Answer>>,
): void {
  const { method = '', url = '' } = request
  const [path = ''] = url.split('?')
  const found = Object.hasOwn(paths, path) ? paths[path] : undefined
  const { code, text } =
    method !== 'GET' && method !== 'HEAD'
      ? { code: 405, text: 'only GET and HEAD' }
      : (found?.() ?? {
          code: 404,
          text: `no such path; there are ${Object.keys(paths).join(', ')}`,
        })
  response.writeHead(code, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    // One request each: a probe gains nothing from a connection that stays.
    connection: 'close',
  })
  response.end(`${text}\n`)
}

function boundConnections(server: Server): void {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    const [oldest] = open
    if (open.size >= CONNECTIONS_MAX) oldest?.destroy()
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
}
