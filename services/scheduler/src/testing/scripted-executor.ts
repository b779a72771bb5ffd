/** An executor that does what a test tells it to, over a real Attach stream. */
import { randomUUID } from 'node:crypto'
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import {
  type Assignment,
  AttachRequest,
  type AttachResponse,
  type AttemptRef,
  type CancelOrder,
  type DeclarationOutcome,
  ExecutorServiceClient,
  type Hello,
  type MethodDefinition,
} from '@offstage/proto/executor'
import { Lane } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { until } from '@offstage/testkit'
import { complete, type Draft } from './draft.ts'
import { clientOptions, faults } from './faults/faults.ts'
import { tellFrame, tellOfExecutor } from './story.ts'

export interface ScriptedExecutor extends AsyncDisposable {
  readonly sessionId: string
  readonly assignments: Assignment[]
  readonly cancels: CancelOrder[]
  readonly fenced: AttemptRef[]
  readonly acknowledged: AttemptRef[]
  /** What came of the schedules in its hello. */
  readonly declared: DeclarationOutcome[]
  readonly ended: boolean
  /** Why the stream ended, unless in order. */
  readonly error: ServiceError | undefined
  say(frame: Draft<AttachRequest>): void
  /** Ends attempts as succeeded and gives the slots back. */
  succeed(...assignments: readonly Assignment[]): void
  assigned(count: number): Promise<readonly Assignment[]>
  /** Breaks the stream without a word. */
  cut(): void
  /** Says that it drains, with whatever else, and ends the stream in order. */
  leave(frame?: Draft<AttachRequest>): void
}

export interface ScriptOptions {
  readonly methods?: readonly string[]
  /** Of the lane inline. Default 10. */
  readonly slots?: number
  /** Of the lane task. Default 0. */
  readonly taskSlots?: number
  readonly sessionId?: string
  readonly lostSessionId?: string
  readonly namespace?: string
  /** Whose identity it attaches with. Default `dev`. */
  readonly user?: string
  /** What is to be said otherwise. */
  readonly hello?: Draft<Hello>
  /** Instead of `methods`, which have nothing but a name. */
  readonly definitions?: readonly Draft<MethodDefinition>[]
  readonly running?: readonly AttemptRef[]
  /** Answers each assignment at once. Default false. */
  readonly auto?: boolean
  /** False: does not wait to be welcomed. Default true. */
  readonly welcome?: boolean
  /** Sends no heartbeats. Default false. */
  readonly silent?: boolean
}

/** Where the database fails now and then it attaches anew, as any executor does whose hello was not taken. */
export async function attachExecutor(
  address: string,
  options: ScriptOptions = {},
): Promise<ScriptedExecutor> {
  for (let left = faults === undefined ? 0 : 4; ; left--) {
    const executor = await attachOnce(address, options)
    if (left === 0 || executor.error?.code !== status.UNAVAILABLE) return executor
    executor.cut()
  }
}

async function attachOnce(address: string, options: ScriptOptions): Promise<ScriptedExecutor> {
  const { methods = ['test.job'], slots = 10, taskSlots = 0, sessionId = randomUUID() } = options
  const lanes = [
    { lane: Lane.LANE_INLINE, slots },
    { lane: Lane.LANE_TASK, slots: taskSlots },
  ]
  const client = new ExecutorServiceClient(address, credentials.createInsecure(), clientOptions())
  const metadata = new Metadata()
  metadata.set('offstage-user', options.user ?? 'dev')
  const stream = client.attach(metadata)
  const assignments: Assignment[] = []
  const cancels: CancelOrder[] = []
  const fenced: AttemptRef[] = []
  const acknowledged: AttemptRef[] = []
  const declared: DeclarationOutcome[] = []
  let welcome = false
  let ended = false
  stream.on('data', (frame: AttachResponse) => {
    tellFrame(sessionId, 'hears', frame)
    if (frame.welcome !== undefined) welcome = true
    assignments.push(...frame.assignments)
    cancels.push(...frame.cancels)
    fenced.push(...frame.fenced)
    acknowledged.push(...frame.acknowledged)
    declared.push(...frame.schedules)
    if (options.auto && frame.assignments.length > 0) executor.succeed(...frame.assignments)
  })
  const beat = setInterval(() => options.silent || ended || executor.say({ heartbeat: true }), 100)
  let fault: ServiceError | undefined
  const onEnd = () => {
    ended = true
    clearInterval(beat)
    tellOfExecutor(sessionId, `has no stream any more: ${fault?.message ?? 'ended in order'}`)
  }
  stream.on('error', (error: ServiceError) => {
    fault = error
    onEnd()
  })
  stream.on('end', onEnd)
  const executor: ScriptedExecutor = {
    sessionId,
    assignments,
    cancels,
    fenced,
    acknowledged,
    declared,
    get ended() {
      return ended
    },
    get error() {
      return fault
    },
    say: (frame) => {
      const request = complete<AttachRequest>(AttachRequest, frame)
      tellFrame(sessionId, 'says', request)
      stream.write(request)
    },
    succeed(...done) {
      executor.say({
        results: done.map(({ jobId, attempt, params }) => ({
          jobId,
          attempt,
          outcome: { $case: 'succeeded' as const, value: params ?? {} },
        })),
        credits: done.map(({ lane }) => ({ lane, slots: 1 })),
      })
    },
    async assigned(count) {
      const came = () => assignments.length >= count
      const soFar = () =>
        `${count} assignments: ${assignments.length} came${ended ? `, and the stream has ended: ${fault?.message ?? 'in order'}` : ''}`
      await until(() => came() || ended, { what: soFar })
      if (!came()) throw new Error(`there will not be ${soFar()}`)
      return assignments
    },
    cut() {
      clearInterval(beat)
      stream.cancel()
      client.close()
    },
    leave(frame = {}) {
      clearInterval(beat)
      executor.say({ ...frame, draining: true })
      stream.end()
    },
    async [Symbol.asyncDispose]() {
      executor.cut()
    },
  }
  executor.say({
    hello: {
      sessionId,
      lostSessionId: options.lostSessionId ?? '',
      name: 'scripted',
      namespace: options.namespace ?? '',
      methods: options.definitions ?? methods.map((name) => ({ name })),
      // Of more slots than it gives credits for, so that a test can free any.
      lanes: lanes.map(({ lane }) => ({ lane, slots: LIMITS.laneSlotsMax })),
      running: options.running ?? [],
      ...options.hello,
    },
    credits: lanes.filter((credit) => credit.slots > 0),
  })
  if (options.welcome ?? true) await until(() => welcome || ended, { what: 'a welcome' })
  return executor
}
