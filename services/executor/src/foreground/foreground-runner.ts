/** Jobs in the process of their caller (row L7): an executor of one session without threads, which a client attaches when it needs it. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { url as inspectorUrl } from 'node:inspector'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { contextFromTraceparent, createLogger, traced } from '@offstage/kit/telemetry'
import { durationFrom } from '@offstage/proto/durations'
import type { AttachResponse } from '@offstage/proto/executor'
import { LIMITS } from '@offstage/proto/limits'
import type {
  ForegroundHome,
  ForegroundRunner,
  ForegroundSession,
  Offstage,
} from '@offstage/sdk/client'
import { OffstageError } from '@offstage/sdk/grpc'
import { isJobDefinition, type JobDefinition } from '@offstage/sdk/jobs'
import { attachStreamOpener, type OpenAttachStream } from '../attach/attach-stream.ts'
import { AttemptTokens } from '../attach/attempt-tokens.ts'
import { Dispatcher } from '../attach/dispatcher.ts'
import { Outbox } from '../attach/outbox.ts'
import { Session } from '../attach/session.ts'
import { drain } from '../drain.ts'
import { STOP_GRACE_MS } from '../lanes/supervisor.ts'
import { announcementOf } from '../run/announce.ts'
import { loadJobs } from '../run/load-jobs.ts'
import type { TracedAttempt } from '../run/runner.ts'
import { CallerAttempts } from './caller-attempts.ts'

export interface ForegroundRunnerOptions {
  /** The jobs that can run in this process, or paths of modules and folders with them, which are loaded when they are first needed. */
  readonly jobs: readonly (JobDefinition | string)[]
  /** Whether the mode `auto` chooses the foreground whatever executors there are. Default: under a debugger, or by OFFSTAGE_FOREGROUND. */
  readonly prefer?: boolean
  /**
   * How long the jobs stay this process's while nothing is heard of it, 0 to 3,600,000 ms: it stands at a breakpoint, say. Where it is
   * killed they are given up after that. Default under a debugger 600,000 (10 min), else the lease of the scheduler.
   */
  readonly leaseMs?: number
  /** How long the end of the client waits for jobs that run, 0 to 24 days, before it hands them back. Default 10,000. */
  readonly closeGraceMs?: number
}

const SLOTS = 10_000
const DEBUGGED_LEASE_MS = 600_000
const CLOSE_GRACE_MS = 10_000
const ATTACH_MS = 15_000
const SOFTWARE = 'offstage-foreground/0.1.0'

/** Of no caller: whatever this module is imported by, it is in the middle of nothing yet. */
const outside = AsyncLocalStorage.snapshot()

/**
 * Lets a client run jobs in its own process and thread: `Offstage.connect({ foreground: foregroundRunner({ jobs: [build] }) })`. Their
 * handlers are reached by breakpoints, cannot be ended by force, and hold up the lease of their jobs where they compute without a break.
 */
export function foregroundRunner(options: ForegroundRunnerOptions): ForegroundRunner {
  checkOptions(options)
  let loading: Promise<ReadonlyMap<string, JobDefinition>> | undefined
  const load = () => {
    loading ??= definitionsIn(options.jobs)
    return loading
  }
  return {
    prefer: options.prefer ?? false,
    methods: load,
    open: async (home) => open(options, await load(), home),
  }
}

async function open(
  { leaseMs, closeGraceMs = CLOSE_GRACE_MS }: ForegroundRunnerOptions,
  jobs: ReadonlyMap<string, JobDefinition>,
  home: ForegroundHome,
): Promise<ForegroundSession> {
  const { scheduler: address, namespace, credential, tls } = home
  const log = createLogger({ name: 'offstage', level: 'warn', destination: process.stderr })
  const outbox = new Outbox(
    () => session.wake(),
    ({ jobId, attempt }, err) =>
      log.warn({ job: jobId, attempt, err }, 'a report cannot be encoded; dropped'),
  )
  const sessionId = () => session.id
  const tokens = new AttemptTokens({ address, tls, credential, namespace, sessionId })
  const supervisor = new CallerAttempts({
    slots: SLOTS,
    jobs,
    clients: {
      forJob: ({ jobId, owner = '', scope = '', traceparent = '', ...order }, job) =>
        home.forJob({
          ...{ jobId, owner, scope, traceparent, namespace: order.namespace, codec: job.codec },
          token: job.tokens === undefined ? '' : () => job.tokens?.next() ?? '',
          hasOwnersRights: job.hasOwnersRights,
          signal: job.signal,
          onWaiting: job.onWaiting,
        }) as Offstage,
    },
    reports: outbox,
    issueToken: credential.sendsToken ? tokens.issue : undefined,
    traced: tracedAttempt,
    outside,
  })
  const name = `${hostname()} ${process.pid} (foreground)`.slice(-LIMITS.executorNameCharactersMax)
  const dispatcher = new Dispatcher({
    ...{ namespace, name, pools: [], lanes: supervisor.lanes, supervisor, outbox },
    offersProcesses: false,
  })
  dispatcher.announce({ methods: [...jobs.values()].map(announcementOf), schedules: [] })
  const lease = leaseMs ?? (inspectorUrl() === undefined ? 0 : DEBUGGED_LEASE_MS)
  /** An executor goes on trying; a start is told. */
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => {})
  /** A session that was lost is followed by one that nobody knows yet. */
  let known = Promise.withResolvers<void>()
  const session: Session = new Session({
    open: tellingOfRefusals(attachStreamOpener({ address, credential, tls }), refused.reject),
    outbox,
    log,
    listener: {
      hello: () => ({
        ...dispatcher.hello(),
        ...{ foreground: true, lease: durationFrom(lease), software: SOFTWARE },
        // Where the scheduler is older than this: nobody's jobs are in it.
        pools: [`session.${session.id}`],
      }),
      takeCredits: () => dispatcher.takeCredits(),
      onAttached: () => {
        dispatcher.forgetCredits()
        known.resolve()
      },
      onFrame: (frame) => dispatcher.obey(frame),
      onBroken: () => {},
      onLost: () => {
        known = Promise.withResolvers()
        supervisor.stopAll({ kind: 'fenced' }, STOP_GRACE_MS)
      },
    },
  })
  const close = async () => {
    await session.stop()
    tokens.close()
  }
  outside(() => session.start())
  try {
    await within(Promise.race([session.firstAttached, refused.promise]), address)
  } catch (error) {
    await close()
    throw error
  }
  return {
    async id() {
      // Of a process that stood still this turn does not know yet that its lease has run out.
      await pause(0)
      await within(known.promise, address)
      return session.id
    },
    async close() {
      await drain({ dispatcher, outbox, session, supervisor }, closeGraceMs)
      await close()
    },
  }
}

const REFUSED: ReadonlySet<status> = new Set([status.PERMISSION_DENIED, status.UNAUTHENTICATED])

/** By which this caller may not attach. */
function tellingOfRefusals(
  open: OpenAttachStream,
  onRefused: (refusal: OffstageError) => void,
): OpenAttachStream {
  async function* listening(responses: AsyncIterable<AttachResponse>) {
    try {
      yield* responses
    } catch (error) {
      if (error instanceof OffstageError && REFUSED.has(error.code)) onRefused(error)
      throw error
    }
  }
  return () => {
    const stream = open()
    return { ...stream, responses: listening(stream.responses) }
  }
}

async function within(attached: Promise<void>, address: string): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () =>
      reject(
        new OffstageError({
          code: status.UNAVAILABLE,
          reason: 'SERVICE_UNREACHABLE',
          message: `the scheduler at ${address} has not taken this process as an executor within ${ATTACH_MS} ms`,
        }),
      ),
    ATTACH_MS,
  )
  try {
    await Promise.race([attached, late])
  } finally {
    clearTimeout(timer)
  }
}

/** In the trace of the start, by whatever this process exports its spans with. */
const tracedAttempt: TracedAttempt = (
  { method, jobId, attempt, traceparent, tracestate },
  work,
) => {
  const parent = contextFromTraceparent(traceparent, tracestate)
  const attributes = { 'offstage.job.id': jobId, 'offstage.job.attempt': attempt }
  return traced(`run ${method}`, { parent, attributes, hidesTexts: true }, work)
}

async function definitionsIn(
  jobs: ForegroundRunnerOptions['jobs'],
): Promise<ReadonlyMap<string, JobDefinition>> {
  const paths = jobs.filter((job) => typeof job === 'string')
  const { jobs: found } = await loadJobs(paths)
  for (const job of jobs) {
    if (!isJobDefinition(job)) continue
    const known = found.get(job.method)
    if (known !== undefined && known !== job) {
      throw new Error(`${job.method} is defined twice among the jobs of the foreground`)
    }
    found.set(job.method, job)
  }
  return found
}

function checkOptions({ jobs, leaseMs = 0, closeGraceMs = 0 }: ForegroundRunnerOptions): void {
  if (!Array.isArray(jobs) || jobs.length === 0) {
    throw new TypeError('foregroundRunner: jobs must be a list of jobs and paths of modules')
  }
  for (const [at, job] of jobs.entries()) {
    if (typeof job === 'string' || isJobDefinition(job)) continue
    throw new TypeError(`foregroundRunner: jobs[${at}] is neither a job with a handler nor a path`)
  }
  if (!(leaseMs >= 0 && leaseMs <= LIMITS.sessionLeaseMsMax)) {
    throw new RangeError(
      `foregroundRunner: leaseMs must be within 0 and ${LIMITS.sessionLeaseMsMax}`,
    )
  }
  if (!(closeGraceMs >= 0)) throw new RangeError('foregroundRunner: closeGraceMs must be 0 or more')
}
