/** A scheduler that does what a test tells it to, over real gRPC. */

import { bidiStream, createGrpcServer, type GuardedService, unary } from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import { durationFrom } from '@offstage/proto/durations'
import {
  Assignment,
  type AttachRequest,
  AttachResponse,
  type AttemptRef,
  type AttemptResult,
  type ExecutorServiceServer,
  ExecutorServiceService,
  type Hello,
  type IssueAttemptTokenRequest,
  type MessageReport,
  type ProgressReport,
} from '@offstage/proto/executor'
import { Lane } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { FakeJobs } from './fake-jobs.ts'

/** One Attach call, from the scheduler's side. */
export class Attachment {
  readonly frames: AttachRequest[] = []
  readonly #send: (frame: AttachResponse) => void
  readonly #over: (fault?: Error) => void
  open = true

  constructor(send: (frame: AttachResponse) => void, over: (fault?: Error) => void) {
    this.#send = send
    this.#over = over
  }

  get hello(): Hello {
    const hello = this.frames[0]?.hello
    if (hello === undefined) throw new Error('no hello')
    return hello
  }

  get results(): AttemptResult[] {
    return this.frames.flatMap(({ results }) => results)
  }
  get messages(): MessageReport[] {
    return this.frames.flatMap(({ messages }) => messages)
  }
  get progress(): ProgressReport[] {
    return this.frames.flatMap(({ progress }) => progress)
  }
  get handedBack(): string[] {
    return this.frames.flatMap(({ handedBack }) => handedBack.map(({ jobId }) => jobId))
  }

  credits(lane: Lane): number {
    const all = this.frames.flatMap(({ credits }) => credits)
    return all.reduce((sum, credit) => (credit.lane === lane ? sum + credit.slots : sum), 0)
  }

  send(frame: Partial<AttachResponse>): void {
    this.#send({ ...AttachResponse.create(), ...frame })
  }

  /** Assigns a job with JSON parameters. */
  assign(jobId: string, method: string, params?: unknown, more: Partial<Assignment> = {}): void {
    const value = Buffer.from(JSON.stringify(params ?? null))
    const inline = { source: { $case: 'inline' as const, value }, contentType: '' }
    this.send({
      assignments: [
        Assignment.fromPartial({
          jobId,
          attempt: 1,
          method,
          params: params === undefined ? undefined : inline,
          lane: Lane.LANE_INLINE,
          namespace: 'default',
          owner: 'ann',
          ...more,
        }),
      ],
    })
  }

  cancel(jobId: string, options: { reason?: string; graceMs: number; attempt?: number }): void {
    const { reason = 'the user said so', graceMs, attempt = 1 } = options
    this.send({ cancels: [{ jobId, attempt, reason, grace: durationFrom(graceMs) }] })
  }

  acknowledge(...refs: { readonly jobId: string; readonly attempt: number }[]): void {
    const acknowledged = refs.map(({ jobId, attempt }) => ({ jobId, attempt }))
    if (acknowledged.length > 0) this.send({ acknowledged })
  }

  /** The result of a job, once it has come. */
  async result(jobId: string, options: { timeoutMs?: number } = {}): Promise<AttemptResult> {
    const find = () => this.results.find((result) => result.jobId === jobId)
    await until(() => find() !== undefined, { what: `a result of ${jobId}`, ...options })
    return find() as AttemptResult
  }

  /** The result of a job that must succeed with an inline JSON value. */
  async value(jobId: string): Promise<unknown> {
    const { outcome } = await this.result(jobId)
    if (outcome?.$case !== 'succeeded') throw new Error(JSON.stringify(outcome))
    const { source } = outcome.value
    if (source === undefined) return undefined
    if (source.$case !== 'inline') throw new Error(`it is at ${source.value}`)
    return JSON.parse(source.value.toString())
  }

  /** The error of a job that must fail. */
  async fault(jobId: string) {
    const { outcome } = await this.result(jobId)
    if (outcome?.$case !== 'failed') throw new Error(JSON.stringify(outcome))
    return outcome.value
  }

  /** The handler has said that it runs. */
  async running(jobId: string): Promise<void> {
    const said = () => this.messages.some((message) => message.jobId === jobId)
    await until(said, { what: `${jobId} runs` })
  }

  /** Ends the call from the scheduler's side: in good order, or with a fault. */
  end(fault?: Error): void {
    this.#over(fault)
  }
}

export interface FakeScheduler extends AsyncDisposable {
  readonly address: string
  readonly attachments: readonly Attachment[]
  /** What handlers' clients talk to. */
  readonly jobs: FakeJobs
  /** The n-th attachment, from 1, once its hello has come. */
  attachment(n?: number): Promise<Attachment>
  /** Whether results are acknowledged as they come. Default true. */
  acknowledges: boolean
  /** The lease given with a welcome. Default 10 s. */
  leaseMs: number
  /** Refuses attachments while set. */
  refusal: Error | undefined
  /** Asked for tokens of attempts, and by which bearer. */
  readonly tokenRequests: (IssueAttemptTokenRequest & { readonly by: string })[]
  /** Issues none while set. */
  tokenRefusal: Error | undefined
  /** Issues empty ones. Default false. */
  isDevelopment: boolean
}

/** The token of an attempt says whose it is, to who reads the metadata of calls. */
export function fakeTokenOf({ jobId, attempt }: AttemptRef): string {
  return `token-of-${jobId}-${attempt}`
}

const unused = <Req, Res>() =>
  unary<Req, Res>('identified', () => {
    throw new Error('nobody asks the fake scheduler this')
  })

export async function startFakeScheduler(): Promise<FakeScheduler> {
  const attachments: Attachment[] = []
  const jobs = new FakeJobs()
  const attach = bidiStream<AttachRequest, AttachResponse>(
    'executors.attach',
    async ({ requests, send }, context) => {
      if (scheduler.refusal !== undefined) throw scheduler.refusal
      const over = Promise.withResolvers<void>()
      const attachment = new Attachment(send, (fault) =>
        fault === undefined ? over.resolve() : over.reject(fault),
      )
      context.signal.addEventListener('abort', () => over.resolve())
      const read = async () => {
        for await (const frame of requests) {
          attachment.frames.push(frame)
          if (scheduler.acknowledges) attachment.acknowledge(...frame.results)
          if (frame.hello === undefined) continue
          const { sessionId } = frame.hello
          const lease = durationFrom(scheduler.leaseMs)
          attachment.send({ welcome: { sessionId, lease, scheduler: 'fake' } })
          attachments.push(attachment)
        }
      }
      await Promise.race([read(), over.promise]).finally(() => {
        attachment.open = false
      })
    },
  )
  const implementation: GuardedService<ExecutorServiceServer> = {
    attach,
    checkAttempt: unused(),
    getAttemptKeys: unused(),
    findNeededValues: unused(),
    listDiscardedValues: unused(),
    issueAttemptToken: unary(
      'executors.attach',
      (request: IssueAttemptTokenRequest, { metadata }) => {
        scheduler.tokenRequests.push({ ...request, by: String(metadata.get('authorization')[0]) })
        if (scheduler.tokenRefusal !== undefined) throw scheduler.tokenRefusal
        const token = scheduler.isDevelopment ? '' : fakeTokenOf(request)
        return { token, expireTime: undefined }
      },
    ),
  }
  const server = createGrpcServer({
    name: 'fake scheduler',
    host: '127.0.0.1',
    port: 0,
    services: [{ definition: ExecutorServiceService, implementation }, jobs.service],
    log: createLogger({ name: 'fake scheduler', level: 'silent' }),
    stopGraceMs: 200,
  })
  await server.start()
  const scheduler: FakeScheduler = {
    address: server.address,
    jobs,
    attachments,
    acknowledges: true,
    leaseMs: 10_000,
    refusal: undefined,
    tokenRequests: [],
    tokenRefusal: undefined,
    isDevelopment: false,
    attachment: async (n = 1) => {
      await until(() => attachments.length >= n, { what: `attachment ${n}` })
      return attachments[n - 1] as Attachment
    },
    [Symbol.asyncDispose]: () => server.stop(),
  }
  return scheduler
}
