/**
 * A gRPC server as a service. Its stop is graceful: health says NOT_SERVING, connections are told to
 * go away and new calls are refused; after half the grace the signals of the calls still open abort;
 * at the end of the grace the connections are cut.
 *
 * 1. Every call passes `authenticate`, before its messages are read; a handler that would not is refused when the server is made.
 * 2. A server others can reach has an `authenticate` of its own choosing.
 * 3. A stop ends within the grace, whatever handlers and clients do.
 */

import { type ChannelOptions, Server } from '@grpc/grpc-js'
import { DEVELOPMENT } from '@offstage/proto/authentication'
import { isLoopback } from '@offstage/proto/loopback'
import { type Authenticate, developmentAuthenticateTelling } from '../auth/mod.ts'
import { createService, type Service } from '../lifecycle/mod.ts'
import type { Logger, Measures } from '../telemetry/mod.ts'
import { admission } from './admission.ts'
import { bindService, nameOfService, rightsOf, type ServedService } from './bind-services.ts'
import { CallLimits } from './call-limits.ts'
import { createDoor, type Door } from './door.ts'
import type { Edge } from './edge.ts'
import { SERVER_LIMITS, type ServerLimits } from './limits.ts'
import { addressOf, listen } from './listen.ts'
import { type MemoryInUse, MemoryPressure, memoryInUse } from './memory-pressure.ts'
import { type ServerTls, serverCredentials } from './server-credentials.ts'
import { SlowReaders } from './slow-readers.ts'
import { addStandardServices } from './standard-services.ts'
import { StandingStreams } from './standing-streams.ts'
import { UnfinishedRequests } from './unfinished-requests.ts'
import { withUnreadable } from './unreadable.ts'
import { refuseSiblings } from './wrong-service.ts'

export interface GrpcServerOptions {
  /** Names the server in errors and logs. */
  readonly name: string
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  readonly services: readonly ServedService[]
  /**
   * Says who calls. Default: everybody is a developer with all rights, which is refused unless
   * `host` is a loopback address.
   */
  readonly authenticate?: Authenticate
  /** Default: plain text. Certificates are read again while it serves, and no call is dropped for a new one. */
  readonly tls?: ServerTls
  /** How often the callers of streams that stay open are asked about again. Default 5 s. */
  readonly lookAgainMs?: number
  /** Limit of one message in either direction. Default 16 MiB; over it: RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes?: number
  /** What is not given is as in {@link SERVER_LIMITS}. */
  readonly limits?: Partial<ServerLimits>
  /** How much of the memory is in use; replaced in tests. */
  readonly memoryInUse?: MemoryInUse
  readonly log: Logger
  /** How long a stop waits for open calls. Default 10 s. */
  readonly stopGraceMs?: number
}

export interface GrpcServer extends Service {
  /** `host:port` really bound. Known once started. */
  readonly address: string
  /** The port really bound; before the start the one asked for. */
  readonly port: number
  /**
   * What health answers. True from the start, false from the stop.
   *
   * @param why of a false, for people; default `not serving`
   */
  setServing(serving: boolean, why?: string): void
  /** Of callers whom nobody knows. */
  readonly measures: Measures
  /** Why health says that it is not serving, such as `not started` and `stopping`; undefined where it is. */
  readonly unready: string | undefined
}

const KEEPALIVE_MS = 30_000
const KEEPALIVE_TIMEOUT_MS = 10_000
/** In which connections that are cut are gone, where their other end hears of it. */
const FORCED_MS = 100

/** Makes a server for the services given, plus health and reflection. It listens once started. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { name, host, log, stopGraceMs = 10_000 } = options
  const authenticate = options.authenticate ?? developmentAuthenticateOn(host, log)
  const limits = { ...SERVER_LIMITS, ...options.limits }
  const memory = new MemoryPressure(
    options.memoryInUse ?? memoryInUse(limits.memoryBytesMax),
    (isShort) => onMemory(isShort),
  )
  const edge: Edge = {
    ...{ authenticate, log, memory, open: new Set(), stopping: false },
    limits: new CallLimits({ calls: limits.callerCallsMax, streams: limits.callerStreamsMax }),
    readers: new SlowReaders(limits.slowReaderMs, () => memory.isShort),
    standing: new StandingStreams(authenticate, options.lookAgainMs),
  }
  const unfinished = new UnfinishedRequests(limits.slowReaderMs, () => memory.isShort)
  const rights = rightsOf(options.services)
  const door = createDoor(log)
  const server = new Server({
    ...channelOptions(options, limits),
    interceptors: [admission(edge, rights, unfinished, door.strangers)],
  })
  door.guard(server, rights)
  for (const service of options.services) {
    server.addService(withUnreadable(service.definition), bindService(service, edge))
  }
  const names = options.services.map(({ definition }) => nameOfService(definition))
  const believesAll = options.authenticate === undefined
  const standard = addStandardServices(server, names, believesAll ? DEVELOPMENT : undefined)
  refuseSiblings(server, names)
  let port = options.port
  let unready: string | undefined = 'not started'
  let asked: string | undefined = unready
  const tell = () => {
    unready = edge.stopping ? 'stopping' : (asked ?? (memory.isShort ? 'overloaded' : undefined))
    standard.setServing(unready === undefined)
  }
  const setServing = (serving: boolean, why = 'not serving') => {
    asked = serving ? undefined : why
    tell()
  }
  const onMemory = (isShort: boolean) => {
    if (isShort)
      log.warn('memory is nearly used up: calls are refused, and slow readers lose their streams')
    else log.info('there is memory again: calls are taken')
    tell()
  }

  const service = createService({
    name,
    async start() {
      port = await listen(server, host, options.port, await serverCredentials(options.tls))
      setServing(true)
      memory.start()
      log.info({ address: addressOf(host, port), tls: options.tls !== undefined }, 'serving gRPC')
    },
    async stop() {
      edge.stopping = true
      memory.stop()
      setServing(false)
      standard.endStreams()
      await door.stop()
      await drain(server, edge, door, stopGraceMs)
    },
  })
  return {
    start: service.start,
    stop: service.stop,
    [Symbol.asyncDispose]: service.stop,
    get address() {
      return addressOf(host, port)
    },
    get port() {
      return port
    },
    setServing,
    measures: door.measures,
    get unready() {
      return unready
    },
  }
}

function developmentAuthenticateOn(host: string, log: Logger): Authenticate {
  if (isLoopback(host)) {
    const text =
      'a caller sent a token, which development mode does not read: everybody is an administrator, named by offstage-user or else dev'
    return developmentAuthenticateTelling(() => log.warn(text))
  }
  throw new Error(
    `refusing to serve on ${host} without authentication: others could reach it. ` +
      'Configure authentication, or listen on 127.0.0.1 for development.',
  )
}

function channelOptions(options: GrpcServerOptions, limits: ServerLimits): ChannelOptions {
  const maxMessageBytes = options.maxMessageBytes ?? 16 * 1024 * 1024
  return {
    // Nobody asks for what it counts of each call.
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.max_concurrent_streams': limits.connectionCallsMax,
    'grpc.max_connection_age_ms': limits.connectionAgeMs,
    'grpc.max_connection_idle_ms': limits.connectionIdleMs,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  }
}

/** Resolves when every connection is closed, by itself or, at the end of the grace, by us. */
async function drain(server: Server, edge: Edge, door: Door, graceMs: number): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  server.tryShutdown(() => resolve())
  const abortAll = () => {
    for (const call of edge.open) call.abort('server-stop')
  }
  const half = setTimeout(abortAll, graceMs / 2)
  const end = setTimeout(() => {
    server.forceShutdown()
    door.cut()
    // grpc-js waits for ever for connections that were being closed before, and for those that take nothing any more.
    setTimeout(resolve, FORCED_MS)
  }, graceMs)
  await closed
  clearTimeout(half)
  clearTimeout(end)
}
