/**
 * The executor: one session with the scheduler, lanes of handler threads, a small gRPC server
 * for operators. Owns nothing durable.
 *
 * Start: load the job modules (a fault in them fails the start), listen, attach. A scheduler that is
 * not there does not fail the start; the executor keeps trying and its health says NOT_SERVING.
 * Stop: drain, leave the stream in good order, end the threads, stop listening.
 */

import type { Authenticate } from '@offstage/kit/auth'
import { createGrpcServer, type ServerTls } from '@offstage/kit/grpc'
import { createService, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import { clientTls } from '@offstage/kit/tls'
import { type AttachingConfig, createAttaching } from './attach/attaching.ts'
import type { ExecutorConfig } from './config.ts'
import type { DrainedBy } from './domain/drained-by.ts'
import type { LeakFigures } from './domain/leaks.ts'
import type { MethodAnnouncement } from './domain/method.ts'
import { type DrainReport, drain } from './drain.ts'
import { controlService } from './grpc/control-service.ts'
import type { Lanes } from './lanes/lanes.ts'
import { type ThreadCounts, ThreadJournal } from './lanes/thread-journal.ts'
import type { ProcessRelay } from './ports.ts'
import { openRelay } from './relay/open-relay.ts'

export interface ExecutorOptions {
  readonly config: ExecutorConfig
  readonly log: Logger
  /** Who may call the executor's own gRPC. Default: anybody, on a loopback address only. */
  readonly authenticate?: Authenticate
  /** Of its own gRPC. Default: plain text. */
  readonly tls?: ServerTls
}

export interface Executor extends Service {
  /** Those it takes jobs for; known once started. */
  readonly lanes: Lanes
  /** `host:port` of its own gRPC, once started. */
  readonly address: string
  /** The session; another one after a lost lease. */
  readonly sessionId: string
  readonly attached: boolean
  /** Why it takes no work now, such as `draining`; undefined while it does. */
  readonly unready: string | undefined
  readonly draining: boolean
  /** What became of attempts and threads since the start. */
  readonly counts: ThreadCounts & { readonly finished: number; readonly handedBack: number }
  /** What attempts have left behind, of the names that were tracked since the start. */
  readonly leaks: readonly LeakFigures[]
  /** What it can run; known once started. */
  readonly methods: readonly MethodAnnouncement[]
  /** Resolves once the scheduler has accepted the session for the first time. */
  readonly firstAttached: Promise<void>
  /**
   * Takes no new work, waits for what runs, hands back what has not ended within the grace. Calls
   * while it drains or after it has drained join the first.
   *
   * @param graceMs default: that of the configuration
   * @param by who asked for it; undefined: a stop
   */
  drain(graceMs?: number, by?: DrainedBy): Promise<DrainReport>
}

const NOT_ATTACHED = 'not attached to a scheduler'

/** Makes an executor. It loads the job modules and attaches once started. */
export function createExecutor({ config, log, authenticate, tls }: ExecutorOptions): Executor {
  const { name, host, port } = config
  const journal = new ThreadJournal(log)
  let draining: Promise<DrainReport> | undefined
  const serveOr = (why: string | undefined) => server.setServing(why === undefined, why)
  const onAttached = (attached: boolean) =>
    serveOr(draining ? 'draining' : attached ? undefined : NOT_ATTACHED)
  const attaching = attachingConfig(config, log)
  const parts = createAttaching({
    config: { ...attaching, openRelay: relayFor(attaching, log) },
    ...{ log, journal, onAttached },
  })
  const { session, dispatcher, supervisor, lanes, tokens, refreshes, leaks, client } = parts

  const drained = async (graceMs: number, by?: DrainedBy): Promise<DrainReport> => {
    log.info({ graceMs, by: by?.user }, 'draining')
    serveOr('draining')
    const report = await drain(parts, graceMs, by)
    log.info(report, 'drained')
    return report
  }
  const service = createService({
    name: 'executor',
    async start() {
      dispatcher.announce(await lanes[0].warm().ready)
      await server.start()
      serveOr(NOT_ATTACHED)
      session.start()
      refreshes.start()
      leaks.start()
    },
    async stop() {
      await executor.drain()
      refreshes.stop()
      await session.stop()
      await Promise.all(lanes.map((lane) => lane.stop()))
      await leaks.stop()
      tokens.close()
      await client.close()
      await server.stop()
    },
  })
  const executor: Executor = {
    ...service,
    get lanes() {
      return dispatcher.lanes
    },
    get address() {
      return server.address
    },
    get sessionId() {
      return session.id
    },
    get unready() {
      return server.unready
    },
    get attached() {
      return session.attached
    },
    get draining() {
      return draining !== undefined
    },
    get counts() {
      return { ...supervisor.counts, ...journal.counts }
    },
    get leaks() {
      return supervisor.leaks.all
    },
    get methods() {
      return dispatcher.methods
    },
    get firstAttached() {
      return session.firstAttached
    },
    drain(graceMs = config.drainGraceMs, by?: DrainedBy) {
      draining ??= drained(graceMs, by)
      return draining
    },
  }
  const services = [controlService(executor, name, config.namespace)]
  const server = createGrpcServer({
    name: 'executor',
    host,
    port,
    services,
    authenticate,
    tls,
    log,
  })
  return executor
}

/** Where the services may ask for the certificate of the executor, which processes of handlers do not have. */
function relayFor(config: AttachingConfig, log: Logger): (() => ProcessRelay) | undefined {
  const { scheduler, storage, tls, channelTls } = config
  if (tls === undefined || !channelTls?.clientCertificate) return undefined
  const onLost = (err: Error) =>
    log.warn({ err }, 'what relays the calls of a process of handlers has ended: they fail')
  return () => openRelay({ scheduler, storage, tls, onLost })
}

/** The files go to the threads, whose clients read them for themselves. */
function attachingConfig(config: ExecutorConfig, log: Logger): AttachingConfig {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key, tlsReloadMs: reloadMs } = config
  const channelTls = clientTls(config, log)
  return { ...config, tls: channelTls && { ca, cert, key, reloadMs }, channelTls }
}
