import { unary } from '@offstage/kit/grpc'
import { msFrom } from '@offstage/proto/durations'
import {
  type DescribeExecutorRequest,
  type DescribeExecutorResponse,
  type DrainRequest,
  type DrainResponse,
  ExecutorControlServiceService,
  type ExecutorCounts,
} from '@offstage/proto/executor'
import { laneFrom } from '@offstage/sdk/jobs'
import type { Executor } from '../executor.ts'
import { methodDefinition } from './mapping.ts'

/** What operators can ask of an executor. */
export function controlService(executor: Executor, name: string) {
  return {
    definition: ExecutorControlServiceService,
    implementation: {
      describeExecutor: unary<DescribeExecutorRequest, DescribeExecutorResponse>(
        'executors.read',
        () => ({
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
        }),
      ),
      drain: unary<DrainRequest, DrainResponse>('executors.drain', ({ grace }, { actor, peer }) =>
        executor.drain(msFrom(grace), { user: actor.user, roles: [...actor.roles], peer }),
      ),
    },
  }
}

function countsOf({ counts, lanes }: Executor): ExecutorCounts {
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
