import { unary } from '@offstage/kit/grpc'
import {
  type DescribeExecutorRequest,
  type DescribeExecutorResponse,
  type DrainRequest,
  type DrainResponse,
  ExecutorControlServiceService,
} from '@offstage/proto/executor'
import { laneFrom } from '@offstage/sdk/jobs'
import type { Executor } from '../executor.ts'
import { methodDefinition, msFromDuration } from './mapping.ts'

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
        }),
      ),
      drain: unary<DrainRequest, DrainResponse>('executors.drain', ({ grace }) =>
        executor.drain(grace === undefined ? undefined : msFromDuration(grace)),
      ),
    },
  }
}
