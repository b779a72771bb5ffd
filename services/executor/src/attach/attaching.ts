/** The parts that speak with the scheduler, wired together: session, dispatcher, outbox. */
import type { Logger } from '@offstage/kit/telemetry'
import { Credential, LeakSync, Offstage } from '@offstage/sdk/client'
import type { ChannelTls } from '@offstage/sdk/grpc'
import { createLanes, type Lanes, type LanesConfig } from '../lanes/lanes.ts'
import { STOP_GRACE_MS, Supervisor } from '../lanes/supervisor.ts'
import type { ThreadJournal } from '../lanes/thread-journal.ts'
import { attachStreamOpener } from './attach-stream.ts'
import { AttemptTokens } from './attempt-tokens.ts'
import { Dispatcher } from './dispatcher.ts'
import { Outbox } from './outbox.ts'
import { RefreshRelay } from './refresh-relay.ts'
import { Session } from './session.ts'
import { tellOfSchedules } from './tell-of-schedules.ts'

/** Who attaches where, and with what. */
export interface AttachingConfig extends Omit<LanesConfig, 'attemptTokens'> {
  readonly namespace: string
  /** None: the default one. */
  readonly pools: readonly string[]
  /** Of the methods whose definitions say none. */
  readonly methodVersion: string | undefined
  readonly name: string
  readonly token: string | undefined
  /** In place of `token`: a file that has it and is read again. */
  readonly tokenFile: string | undefined
  /** TLS of the stream itself; of the same files as `tls`. */
  readonly channelTls?: ChannelTls
}

export interface AttachingOptions {
  readonly config: AttachingConfig
  readonly log: Logger
  readonly journal: ThreadJournal
  /** Told whenever the scheduler takes the session, and when the stream to it breaks. */
  onAttached(attached: boolean): void
}

export interface Attaching {
  readonly session: Session
  readonly dispatcher: Dispatcher
  readonly outbox: Outbox
  readonly supervisor: Supervisor
  readonly lanes: Lanes
  readonly tokens: AttemptTokens
  /** To be started beside the session. */
  readonly refreshes: RefreshRelay
  /** To be started beside the session. */
  readonly leaks: LeakSync
  /** By which the executor itself calls; to be closed last. */
  readonly client: Offstage
}

export function createAttaching(options: AttachingOptions): Attaching {
  const { config, log, journal, onAttached } = options
  const outbox = new Outbox(
    () => session.wake(),
    ({ jobId, attempt }, err) =>
      log.warn({ job: jobId, attempt, err }, 'a report cannot be encoded; dropped'),
  )
  const { namespace, name, pools, scheduler, token, tokenFile } = config
  const credential = new Credential({ token, tokenFile })
  const tokens = new AttemptTokens({
    address: scheduler,
    tls: config.channelTls,
    credential,
    namespace,
    sessionId: () => session.id,
  })
  const client = Offstage.dial({
    ...{ scheduler, storage: config.storage, namespace, tokenFile },
    // Not that of the environment where the configuration has none.
    token: token ?? (tokenFile === undefined ? '' : undefined),
    tls: config.tls ?? false,
  })
  const refreshes = new RefreshRelay({
    port: client.refreshPort,
    onRefreshed: (scope) => supervisor.refreshed(scope),
  })
  const supervisor: Supervisor = new Supervisor(outbox, tokens.issue, journal, refreshes)
  const leaks = new LeakSync({
    calls: client.leaks,
    found: supervisor.leaks,
    track: (names, anew) => supervisor.trackLeaks(names, anew),
  })
  // Whoever attaches without a token is in development mode, where handlers have none either.
  const lanes = createLanes({ ...config, attemptTokens: credential.sendsToken }, supervisor)
  const dispatcher = new Dispatcher({
    ...{ namespace, name, pools, lanes, supervisor, outbox },
    offersProcesses: config.processSlots !== undefined,
    methodVersion: config.methodVersion,
  })
  const session: Session = new Session({
    open: attachStreamOpener({ address: scheduler, credential, tls: config.channelTls }),
    outbox,
    log,
    listener: {
      hello: () => dispatcher.hello(),
      takeCredits: () => dispatcher.takeCredits(),
      onAttached: () => {
        dispatcher.forgetCredits()
        onAttached(true)
      },
      onFrame: (frame) => {
        tellOfSchedules(frame.schedules, log)
        dispatcher.obey(frame)
      },
      onBroken: () => onAttached(false),
      onLost: () => supervisor.stopAll({ kind: 'fenced' }, STOP_GRACE_MS),
    },
  })
  return { session, dispatcher, outbox, supervisor, lanes, tokens, refreshes, leaks, client }
}
