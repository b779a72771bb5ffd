/**
 * A plain HTTP port for probes and metrics, with nothing else on it, so that they need neither certificate nor token: `/livez`
 * says that the process answers, `/readyz` whether it should be given work, `/metrics` how it fares. No probe asks the database:
 * while that is away every replica is as good as another, and a process that is restarted for it does not bring it back.
 *
 * 1. Whoever reaches it can hold little: one small request for each connection, for seconds, on a bounded number of connections,
 *    of which the oldest gives way to the newest, so that nobody who dials and keeps silent shuts the probes out.
 */
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createService, type Service } from '../lifecycle/mod.ts'
import { createServer } from '../node-http.ts'
import type { Logger, Metrics } from '../telemetry/mod.ts'

export interface ProbeServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Why there should be no work for the process now; undefined where there may be. */
  unready(): string | undefined
  readonly metrics: Pick<Metrics, 'render'>
  readonly log: Logger
}

export interface ProbeServer extends Service {
  /** The port really bound, once started. */
  readonly port: number
}

/** What a path answers. */
export interface Answer {
  readonly code: 200 | 404 | 405 | 500 | 503
  readonly text: string
  /** Default: plain text. */
  readonly contentType?: string
}

/** By path, what answers to those who ask for this `accept`. */
type Paths = Readonly<Record<string, (accept: string | undefined) => Answer | Promise<Answer>>>

const HEADER_BYTES_MAX = 4 * 1024
const REQUEST_MS_MAX = 5_000
const CONNECTIONS_MAX = 64

export function createProbeServer(options: ProbeServerOptions): ProbeServer {
  const paths: Paths = {
    '/livez': () => ({ code: 200, text: 'live' }),
    '/readyz': () => readiness(options.unready()),
    '/metrics': (accept) => exposition(options, accept),
  }
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: REQUEST_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: REQUEST_MS_MAX / 5,
    },
    (request, response) => void answer(request, response, paths),
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

async function exposition(
  { metrics, log }: ProbeServerOptions,
  accept: string | undefined,
): Promise<Answer> {
  try {
    return { code: 200, ...(await metrics.render(accept)) }
  } catch (error) {
    log.error({ err: error }, 'metrics cannot be told')
    return { code: 500, text: 'metrics cannot be told; the log says why' }
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  paths: Paths,
): Promise<void> {
  const { code, text, contentType = 'text/plain; charset=utf-8' } = await answerTo(request, paths)
  response.writeHead(code, {
    'content-type': contentType,
    'cache-control': 'no-store',
    // One request each: a probe gains nothing from a connection that stays.
    connection: 'close',
  })
  response.end(text.endsWith('\n') ? text : `${text}\n`)
}

async function answerTo(
  { method = '', url = '', headers }: IncomingMessage,
  paths: Paths,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return { code: 405, text: 'only GET and HEAD' }
  const [path = ''] = url.split('?')
  const found = Object.hasOwn(paths, path) ? paths[path] : undefined
  if (found !== undefined) return found(headers.accept)
  return { code: 404, text: `no such path; there are ${Object.keys(paths).join(', ')}` }
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
