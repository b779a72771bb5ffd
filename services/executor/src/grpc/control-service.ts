import { type Actor, mayEnter } from '@offstage/kit/auth'
import { Refusal, unary } from '@offstage/kit/grpc'
import { msFrom } from '@offstage/proto/durations'
import {
  type DescribeExecutorRequest,
  type DescribeExecutorResponse,
  type DrainRequest,
  type DrainResponse,
  ExecutorControlServiceService,
  type ExecutorCounts,
} from '@offstage/proto/executor'
import { durationFault } from '@offstage/proto/field-rules'
import { laneFrom } from '@offstage/sdk/jobs'
import type { DrainedBy } from '../domain/drained-by.ts'
import type { MethodAnnouncement } from '../domain/method.ts'
import type { Lane } from '../lanes/lane.ts'
import type { ThreadCounts } from '../lanes/thread-journal.ts'
import { methodDefinition } from './mapping.ts'

/** The executor as operators see it. */
export interface ControlledExecutor {
  readonly sessionId: string
  readonly attached: boolean
  readonly draining: boolean
  readonly methods: readonly MethodAnnouncement[]
  readonly lanes: readonly Pick<Lane, 'name' | 'slots' | 'methodsApart'>[]
  readonly counts: ThreadCounts & { readonly finished: number; readonly handedBack: number }
  drain(
    graceMs: number | undefined,
    by: DrainedBy,
  ): Promise<{ readonly finished: number; readonly handedBack: number }>
}

/** What operators can ask of an executor, those of its namespace. */
export function controlService(executor: ControlledExecutor, name: string, namespace: string) {
  const enter = (actor: Actor) => {
    if (!mayEnter(actor, namespace)) throw elsewhere()
  }
  return {
    definition: ExecutorControlServiceService,
    implementation: {
      describeExecutor: unary<DescribeExecutorRequest, DescribeExecutorResponse>(
        'executors.read',
        (_, { actor }) => {
          enter(actor)
          return descriptionOf(executor, name)
        },
      ),
      drain: unary<DrainRequest, DrainResponse>('executors.drain', ({ grace }, { actor, peer }) => {
        enter(actor)
        return executor.drain(graceFrom(grace), { user: actor.user, roles: [...actor.roles], peer })
      }),
    },
  }
}

function graceFrom(grace: DrainRequest['grace']): number | undefined {
  const ms = msFrom(grace)
  const description = ms === undefined ? undefined : durationFault(ms)
  if (description === undefined) return ms
  const violations = [{ field: 'grace', description }]
  throw new Refusal({ reason: 'INVALID_FIELD', message: `grace ${description}`, violations })
}

/** Does not say which namespace that is. */
function elsewhere(): Refusal {
  const message = 'this executor runs the jobs of a namespace that you may not enter'
  return new Refusal({ reason: 'PERMISSION_DENIED', message })
}

function descriptionOf(executor: ControlledExecutor, name: string): DescribeExecutorResponse {
  return {
    sessionId: executor.sessionId,
    name,
    attached: executor.attached,
    draining: executor.draining,
    methods: executor.methods.map(methodDefinition),
    lanes: executor.lanes.map(({ name: lane, slots }) => ({
      lane: laneFrom(lane),
      slots: slots.slots,
      used: slots.active,
    })),
    counts: countsOf(executor),
  }
}

function countsOf({ counts, lanes }: ControlledExecutor): ExecutorCounts {
  return {
    attemptsFinished: BigInt(counts.finished),
    attemptsHandedBack: BigInt(counts.handedBack),
    attemptsMoved: BigInt(counts.attemptsMoved),
    threadsLost: BigInt(counts.lost),
    threadsEndedByForce: BigInt(counts.endedByForce),
    threadsPassedBy: BigInt(counts.passedBy),
    methodsApart: lanes.flatMap(({ methodsApart }) => methodsApart),
  }
}
