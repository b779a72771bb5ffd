/** Having a namespace for oneself (row L10). */
import { mayForOthers } from '@offstage/kit/auth'
import { type GuardedService, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import type { ExclusiveMode } from '../namespaces/exclusive-mode.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { boundedMs, jobIdFrom, leaseIdFrom, namespaceFor } from './mapping.ts'

type ExclusiveCalls = Pick<
  GuardedService<proto.NamespaceServiceServer>,
  'enterExclusiveMode' | 'leaveExclusiveMode'
>

export function exclusiveCalls(mode: ExclusiveMode): ExclusiveCalls {
  return {
    enterExclusiveMode: unary(
      'namespaces.exclusive',
      async (request: proto.EnterExclusiveModeRequest, context) => {
        const { cancelRunning } = request
        const namespace = namespaceFor(context.actor, request.namespace)
        const leaseId = leaseIdFrom(request.leaseId)
        const timeoutMs = boundedMs('timeout', request.timeout, 0, LIMITS.waitMsMax)
        if (cancelRunning && timeoutMs === 0) {
          throw invalidField(
            'timeout',
            'must be given with cancel_running: what runs has 10 s to end',
          )
        }
        const named = request.jobId || context.actor.attempt?.jobId
        const jobId = named === undefined ? undefined : jobIdFrom(named)
        const asked = { namespace, leaseId, jobId, timeoutMs, cancelRunning }
        return { exclusiveTime: await mode.enter(callerOf(context), asked, context.signal) }
      },
    ),

    leaveExclusiveMode: unary(
      'namespaces.exclusive',
      async (request: proto.LeaveExclusiveModeRequest, context) => {
        const { force, leaseId } = request
        const namespace = namespaceFor(context.actor, request.namespace)
        if (force && !mayForOthers(context.actor, 'namespaces.exclusive')) {
          throw invalidField('force', 'is for administrators')
        }
        if (force && leaseId !== '') {
          throw invalidField('lease_id', 'must be empty with force, which ends it whoever has it')
        }
        const whose = force ? undefined : leaseIdFrom(leaseId)
        await mode.leave(callerOf(context), namespace, whose)
        return {}
      },
    ),
  }
}
