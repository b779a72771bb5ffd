/** A scheduler that does what a scenario tells it to, over real gRPC. */
import {
  bidiStream,
  createGrpcServer,
  type GuardedService,
  Refusal,
  type ServerTls,
  unary,
} from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import { durationFrom } from '@offstage/proto/durations'
import {
  type AttachRequest,
  type AttachResponse,
  type AttemptRef,
  type ExecutorServiceServer,
  ExecutorServiceService,
  type IssueAttemptTokenRequest,
  type IssueAttemptTokenResponse,
} from '@offstage/proto/executor'
import { Attachment } from './attachment.ts'
import { type Cable, startCable } from './cable.ts'
import { type ScriptedJob, scriptedJobs } from './scripted-jobs.ts'
import { awaited } from './verdict.ts'

export interface ScriptedScheduler extends AsyncDisposable {
  readonly cable: Cable
  readonly attachments: readonly Attachment[]
  /** Jobs that handlers have started. */
  readonly started: readonly ScriptedJob[]
  /** Told with every welcome. */
  leaseMs: number
  /** Whether results are acknowledged as they come. */
  acknowledges: boolean
  /** Attachments are refused with it while set. */
  refusal: Refusal | undefined
  /** What is heard in place of what the executor says. */
  tampered: ((heard: AttachRequest) => AttachRequest) | undefined
  /** How many were. */
  readonly refused: number
  /** What tokens of attempts were asked for, and by which bearer. */
  readonly tokenRequests: readonly (IssueAttemptTokenRequest & { readonly by: string })[]
  /** When the tokens it makes expire, from now. */
  tokenLifeMs: number
  /** No tokens are made while set. */
  tokenRefusal: Refusal | undefined
  /** The n-th attachment, from 1, once it is there. */
  attachment(n: number): Promise<Attachment>
}

/** How long an executor may take to start. */
const START_MS = 30_000

export function tokenOf({ jobId, attempt }: AttemptRef): string {
  return `token-of-${jobId}-${attempt}`
}

export const SHUTTING_DOWN = new Refusal({
  reason: 'SHUTTING_DOWN',
  message: 'this replica is going away',
})

const unused = <Req, Res>() =>
  unary<Req, Res>('identified', () => {
    throw new Error('no executor asks that')
  })

/** @param tls default: plain text */
export async function startScriptedScheduler(tls?: ServerTls): Promise<ScriptedScheduler> {
  const jobs = scriptedJobs()
  const attachments: Attachment[] = []
  const tokenRequests: ScriptedScheduler['tokenRequests'][number][] = []
  let refused = 0
  const attach = bidiStream<AttachRequest, AttachResponse>(
    'executors.attach',
    async ({ requests, send }, { metadata, signal }) => {
      if (scheduler.refusal !== undefined) {
        refused += 1
        throw scheduler.refusal
      }
      const over = Promise.withResolvers<void>()
      const attachment = new Attachment({
        send,
        over: (fault) => (fault === undefined ? over.resolve() : over.reject(fault)),
        bearer: String(metadata.get('authorization')[0] ?? ''),
      })
      signal.addEventListener('abort', () => over.resolve())
      const read = async () => {
        for await (const frame of requests) hear(attachment, frame)
        attachment.isLeft = !signal.aborted
      }
      await Promise.race([read(), over.promise]).finally(() => {
        attachment.isOpen = false
      })
    },
  )
  const hear = (attachment: Attachment, said: AttachRequest) => {
    const frame = scheduler.tampered?.(said) ?? said
    attachment.hear(frame)
    if (attachment.frames.length === 1) {
      const { sessionId } = attachment.hello
      const lease = durationFrom(scheduler.leaseMs)
      attachment.say({ welcome: { sessionId, lease, scheduler: 'conformance' } })
      attachments.push(attachment)
    }
    if (scheduler.acknowledges && frame.results.length > 0) attachment.acknowledge(...frame.results)
  }
  const issueAttemptToken = unary<IssueAttemptTokenRequest, IssueAttemptTokenResponse>(
    'executors.attach',
    (request, { metadata }) => {
      tokenRequests.push({ ...request, by: String(metadata.get('authorization')[0] ?? '') })
      if (scheduler.tokenRefusal !== undefined) throw scheduler.tokenRefusal
      return {
        token: tokenOf(request),
        expireTime: new Date(Date.now() + scheduler.tokenLifeMs),
      }
    },
  )
  const implementation: GuardedService<ExecutorServiceServer> = {
    attach,
    issueAttemptToken,
    checkAttempt: unused(),
    getAttemptKeys: unused(),
    findNeededValues: unused(),
    listDiscardedValues: unused(),
  }
  const server = createGrpcServer({
    name: 'scripted scheduler',
    host: '127.0.0.1',
    port: 0,
    services: [{ definition: ExecutorServiceService, implementation }, jobs.service],
    tls,
    log: createLogger({ name: 'scripted scheduler', level: 'silent' }),
    stopGraceMs: 200,
  })
  await server.start()
  const cable = await startCable(server.address)
  const scheduler: ScriptedScheduler = {
    cable,
    attachments,
    started: jobs.started,
    tokenRequests,
    leaseMs: 30_000,
    acknowledges: true,
    refusal: undefined,
    tampered: undefined,
    get refused() {
      return refused
    },
    tokenLifeMs: 3_600_000,
    tokenRefusal: undefined,
    attachment: (n) =>
      awaited('a stream with a hello', () => attachments[n - 1], n === 1 ? START_MS : undefined),
    async [Symbol.asyncDispose]() {
      await cable[Symbol.asyncDispose]()
      await server.stop()
    },
  }
  return scheduler
}
