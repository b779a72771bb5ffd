/**
 * The executor: one session with the scheduler, three lanes of handler threads, a small gRPC server
 * for operators. Owns nothing durable.
 *
 * Start: load the job modules (a fault in them fails the start), listen, attach. A scheduler that is
 * not there does not fail the start; the executor keeps trying and its health says NOT_SERVING.
 * Stop: drain, leave the stream in good order, end the threads, stop listening.
 */

import type { Authenticate } from '@offstage/kit/auth'
import { createGrpcServer, type GrpcServer } from '@offstage/kit/grpc'
import { createService, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import { attachStreamOpener } from './attach/attach-stream.ts'
import { DiscardedValues } from './attach/discarded-values.ts'
import { Dispatcher } from './attach/dispatcher.ts'
import { Outbox } from './attach/outbox.ts'
import { Session } from './attach/session.ts'
import type { ExecutorConfig } from './config.ts'
import type { MethodAnnouncement } from './domain/method.ts'
import { type DrainReport, drain } from './drain.ts'
import { controlService } from './grpc/control-service.ts'
import { Lane } from './lanes/lane.ts'
import { STOP_GRACE_MS, Supervisor } from './lanes/supervisor.ts'
import { type ThreadCounts, ThreadJournal } from './lanes/thread-journal.ts'

export interface ExecutorOptions {
  readonly config: ExecutorConfig
  readonly log: Logger
  /** Who may call the executor's own gRPC. Default: anybody, on a loopback address only. */
  readonly authenticate?: Authenticate
}

/** Makes an executor. It loads the job modules and attaches once started. */
export function createExecutor(options: ExecutorOptions): Executor {
  return new Executor(options)
}

export class Executor implements Service {
  readonly lanes: readonly [inline: Lane, task: Lane, work: Lane]
  readonly #options: ExecutorOptions
  readonly #outbox = new Outbox(
    () => this.#session.wake(),
    ({ jobId, attempt }, err) =>
      this.#options.log.warn({ job: jobId, attempt, err }, 'a report cannot be encoded; dropped'),
  )
  readonly #journal: ThreadJournal
  readonly #supervisor: Supervisor
  readonly #discarded: DiscardedValues
  readonly #dispatcher: Dispatcher
  readonly #session: Session
  readonly #server: GrpcServer
  readonly #service: Service
  #drained: Promise<DrainReport> | undefined

  constructor(options: ExecutorOptions) {
    this.#options = options
    const { config, log, authenticate } = options
    this.#journal = new ThreadJournal(log)
    this.#supervisor = new Supervisor(this.#outbox, this.#journal)
    this.lanes = createLanes(config, this.#supervisor)
    this.#discarded = new DiscardedValues({
      scheduler: config.scheduler,
      storage: config.storage,
      log,
    })
    this.#dispatcher = new Dispatcher({
      namespace: config.namespace,
      name: config.name,
      lanes: this.lanes,
      supervisor: this.#supervisor,
      outbox: this.#outbox,
      discarded: this.#discarded,
    })
    this.#session = this.#createSession()
    this.#server = createGrpcServer({
      name: 'executor',
      host: config.host,
      port: config.port,
      services: [controlService(this, config.name)],
      authenticate,
      log,
    })
    this.#service = createService({
      name: 'executor',
      start: () => this.#start(),
      stop: () => this.#stop(),
    })
  }

  start(): Promise<void> {
    return this.#service.start()
  }

  stop(): Promise<void> {
    return this.#service.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** `host:port` of its own gRPC, once started. */
  get address(): string {
    return this.#server.address
  }

  /** The session; another one after a lost lease. */
  get sessionId(): string {
    return this.#session.id
  }

  get attached(): boolean {
    return this.#session.attached
  }

  get draining(): boolean {
    return this.#drained !== undefined
  }

  /** What became of attempts and threads since the start. */
  get counts(): ThreadCounts & { readonly finished: number; readonly handedBack: number } {
    return { ...this.#supervisor.counts, ...this.#journal.counts }
  }

  /** What it can run; known once started. */
  get methods(): readonly MethodAnnouncement[] {
    return this.#dispatcher.methods
  }

  /** Resolves once the scheduler has accepted the session for the first time. */
  get firstAttached(): Promise<void> {
    return this.#session.firstAttached
  }

  /**
   * Takes no new work, waits for what runs, hands back what has not ended within the grace. Calls
   * while it drains or after it has drained join the first.
   *
   * @param graceMs default: that of the configuration
   */
  drain(graceMs = this.#options.config.drainGraceMs): Promise<DrainReport> {
    this.#drained ??= this.#drain(graceMs)
    return this.#drained
  }

  async #drain(graceMs: number): Promise<DrainReport> {
    const { log } = this.#options
    log.info({ graceMs }, 'draining')
    this.#server.setServing(false)
    const report = await drain(
      {
        dispatcher: this.#dispatcher,
        outbox: this.#outbox,
        session: this.#session,
        supervisor: this.#supervisor,
      },
      graceMs,
    )
    log.info(report, 'drained')
    return report
  }

  async #start(): Promise<void> {
    const [inline] = this.lanes
    this.#dispatcher.announce(await inline.warm().ready)
    await this.#server.start()
    this.#server.setServing(false)
    this.#session.start()
  }

  async #stop(): Promise<void> {
    await this.drain()
    await this.#session.stop()
    await this.#discarded.stop()
    await Promise.all(this.lanes.map((lane) => lane.stop()))
    await this.#server.stop()
  }

  #createSession(): Session {
    const { config, log } = this.#options
    const dispatcher = this.#dispatcher
    return new Session({
      open: attachStreamOpener({ address: config.scheduler, token: config.token }),
      outbox: this.#outbox,
      log,
      listener: {
        hello: () => dispatcher.hello(),
        takeCredits: () => dispatcher.takeCredits(),
        onAttached: () => {
          dispatcher.forgetCredits()
          this.#server.setServing(!this.draining)
        },
        onFrame: (frame) => dispatcher.obey(frame),
        onBroken: () => this.#server.setServing(false),
        onLost: () => this.#supervisor.stopAll({ kind: 'fenced' }, STOP_GRACE_MS),
      },
    })
  }
}

function createLanes(config: ExecutorConfig, supervisor: Supervisor): [Lane, Lane, Lane] {
  const settings = {
    name: '',
    jobs: config.jobs,
    scheduler: config.scheduler,
    storage: config.storage,
    otlpEndpoint: config.otlpEndpoint,
    heapBytesMax: config.threadHeapBytes,
  }
  const lanes: [Lane, Lane, Lane] = [
    new Lane('inline', config.inlineSlots, settings, supervisor),
    new Lane('task', config.taskSlots, settings, supervisor),
    new Lane('work', config.workSlots, settings, supervisor),
  ]
  for (const lane of lanes) supervisor.addLane(lane)
  return lanes
}
