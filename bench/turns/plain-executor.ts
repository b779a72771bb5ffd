/** An executor that ends each attempt as soon as it has it, over a stream of its own: what a turn takes then is the scheduler's. */
import { randomUUID } from 'node:crypto'
import { credentials, Metadata } from '@grpc/grpc-js'
import {
  type Assignment,
  AttachRequest,
  type AttachResponse,
  ExecutorServiceClient,
} from '@offstage/proto/executor'
import { Lane } from '@offstage/proto/jobs'

/** The milliseconds each turn, or each acknowledgement, took, and how many messages brought them. */
export interface Waits {
  readonly ms: number[]
  messages: number
}

export interface PlainExecutor extends Disposable {
  /** From the end of an attempt, which gives its slot back, to the next assignment. */
  readonly turns: Waits
  /** From the end of an attempt to its acknowledgement. */
  readonly acknowledgements: Waits
  /** Gives all slots, and resolves once so many attempts are acknowledged. */
  run(jobs: number): Promise<void>
}

const HEARTBEAT_MS = 1_000

export async function attachPlainExecutor(
  scheduler: string,
  method: string,
  slots: number,
): Promise<PlainExecutor> {
  const client = new ExecutorServiceClient(scheduler, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('offstage-user', 'bench')
  const stream = client.attach(metadata)
  // What is left out is filled in.
  const say = (frame: object) => stream.write(AttachRequest.fromPartial(frame as never))
  const turns: Waits = { ms: [], messages: 0 }
  const acknowledgements: Waits = { ms: [], messages: 0 }
  /** When each slot that is free became so, the longest ago first. */
  const freeSinceMs: number[] = []
  const endedMs = new Map<string, number>()
  const welcome = Promise.withResolvers<void>()
  let done = Promise.withResolvers<void>()
  let left = 0

  const end = (assignments: readonly Assignment[]) => {
    const nowMs = performance.now()
    for (const { jobId } of assignments) {
      const sinceMs = freeSinceMs.shift()
      // Of the first ones nothing had ended before.
      if (sinceMs !== undefined && !Number.isNaN(sinceMs)) turns.ms.push(nowMs - sinceMs)
      endedMs.set(jobId, nowMs)
      freeSinceMs.push(nowMs)
    }
    turns.messages += 1
    say({
      results: assignments.map(({ jobId, attempt }) => ({
        jobId,
        attempt,
        outcome: { $case: 'succeeded', value: {} },
      })),
      credits: [{ lane: Lane.LANE_TASK, slots: assignments.length }],
    })
  }

  stream.on('data', ({ welcome: welcomed, assignments, acknowledged }: AttachResponse) => {
    if (welcomed !== undefined) welcome.resolve()
    if (assignments.length > 0) end(assignments)
    if (acknowledged.length === 0) return
    acknowledgements.messages += 1
    for (const { jobId } of acknowledged) {
      acknowledgements.ms.push(performance.now() - (endedMs.get(jobId) ?? Number.NaN))
    }
    left -= acknowledged.length
    if (left <= 0) done.resolve()
  })
  stream.on('error', (error) => {
    welcome.reject(error)
    done.reject(error)
  })
  say({
    hello: {
      sessionId: randomUUID(),
      name: 'plain',
      methods: [{ name: method, lane: Lane.LANE_TASK }],
      lanes: [{ lane: Lane.LANE_TASK, slots }],
    },
  })
  await welcome.promise
  const beat = setInterval(() => say({ heartbeat: true }), HEARTBEAT_MS)
  return {
    turns,
    acknowledgements,
    async run(jobs) {
      left = jobs
      done = Promise.withResolvers()
      freeSinceMs.push(...new Array(slots).fill(Number.NaN))
      say({ credits: [{ lane: Lane.LANE_TASK, slots }] })
      await done.promise
    },
    [Symbol.dispose]() {
      clearInterval(beat)
      stream.on('error', () => {})
      stream.cancel()
      client.close()
    },
  }
}
