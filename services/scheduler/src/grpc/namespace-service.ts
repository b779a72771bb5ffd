import { type GuardedService, unary } from '@offstage/kit/grpc'
import { methodFault, poolFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { poolFrom } from '../domain/pool.ts'
import type { CancelRunning } from '../jobs/cancel-running.ts'
import type { Locks } from '../locks/locks.ts'
import type { Namespaces } from '../namespaces/namespaces.ts'
import type { SchedulerStores } from '../ports/stores.ts'
import type { Refreshes } from '../refreshes/refreshes.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { exclusiveCalls } from './exclusive-calls.ts'
import { leakCalls } from './leak-calls.ts'
import { leaseCalls } from './lease-calls.ts'
import { listActs } from './list-acts.ts'
import { listExecutors } from './list-executors.ts'
import { listMethods } from './list-methods.ts'
import { lockCalls } from './lock-calls.ts'
import { namespaceFor } from './mapping.ts'
import { previewRetention } from './preview-retention.ts'
import type { ReadingTurns } from './reading-turns.ts'
import { refreshCalls } from './refresh-calls.ts'
import { namespaceTo, updateNamespace } from './update-namespace.ts'

export interface NamespaceUseCases {
  readonly namespaces: Namespaces
  readonly locks: Locks
  readonly refreshes: Refreshes
  readonly cancelRunning: CancelRunning
  readonly stores: Pick<SchedulerStores, 'acts' | 'callAttachments' | 'callMethods'>
}

export function namespaceService(
  { namespaces, locks, refreshes, cancelRunning: cancel, stores }: NamespaceUseCases,
  turns: ReadingTurns,
): GuardedService<proto.NamespaceServiceServer> {
  const { reads, listings } = turns
  const { pauses, settings } = namespaces
  return {
    ...leaseCalls(namespaces.leases),
    ...lockCalls(locks, listings),
    ...refreshCalls(refreshes),
    ...leakCalls(namespaces.leaks, turns),
    ...exclusiveCalls(namespaces.exclusiveMode),
    listExecutors: listExecutors(stores.callAttachments, reads),
    listActs: listActs(stores.acts, listings),
    listMethods: listMethods(stores.callMethods, reads),
    previewRetention: previewRetention(namespaces.previewRetention, listings),

    getNamespace: unary(
      'namespaces.read',
      async (request: proto.GetNamespaceRequest, { actor }) => {
        const name = namespaceFor(actor, request.namespace)
        return { namespace: namespaceTo(name, await settings.read(name)) }
      },
    ),

    updateNamespace: updateNamespace(settings),

    pauseNamespace: unary(
      'namespaces.operate',
      async (request: proto.PauseNamespaceRequest, context) => {
        const namespace = namespaceFor(context.actor, request.namespace)
        await pauses.pauseNamespace(namespace, callerOf(context))
        if (request.cancelRunning) await cancel(callerOf(context), namespace, {})
        return {}
      },
    ),

    resumeNamespace: unary(
      'namespaces.operate',
      async (request: proto.ResumeNamespaceRequest, context) => {
        const namespace = namespaceFor(context.actor, request.namespace)
        await pauses.resumeNamespace(namespace, callerOf(context))
        return {}
      },
    ),

    pauseMethod: unary('namespaces.operate', async (request: proto.PauseMethodRequest, context) => {
      const { cancelRunning } = request
      const namespace = namespaceFor(context.actor, request.namespace)
      const method = methodNameFrom(request.method)
      await pauses.pauseMethod(namespace, method, callerOf(context))
      if (cancelRunning) await cancel(callerOf(context), namespace, { method })
      return {}
    }),

    resumeMethod: unary(
      'namespaces.operate',
      async (request: proto.ResumeMethodRequest, context) => {
        const namespace = namespaceFor(context.actor, request.namespace)
        await pauses.resumeMethod(namespace, methodNameFrom(request.method), callerOf(context))
        return {}
      },
    ),

    pausePool: unary('namespaces.operate', async (request: proto.PausePoolRequest, context) => {
      const { cancelRunning } = request
      const namespace = namespaceFor(context.actor, request.namespace)
      const pool = poolNameFrom(request.pool)
      await pauses.pausePool(namespace, pool, callerOf(context))
      if (cancelRunning) await cancel(callerOf(context), namespace, { pool })
      return {}
    }),

    resumePool: unary('namespaces.operate', async (request: proto.ResumePoolRequest, context) => {
      const namespace = namespaceFor(context.actor, request.namespace)
      await pauses.resumePool(namespace, poolNameFrom(request.pool), callerOf(context))
      return {}
    }),
  }
}

function methodNameFrom(method: string): string {
  const fault = methodFault(method)
  if (fault === undefined) return method
  throw invalidField('method', fault)
}

/** One that is not given is not taken for the default one: it may have been forgotten. */
function poolNameFrom(pool: string): string {
  const fault =
    pool === '' ? 'must not be empty; default is that of jobs that name none' : poolFault(pool)
  if (fault === undefined) return poolFrom(pool)
  throw invalidField('pool', fault)
}
