/** Leases of callers, which exclusive mode and locks are bound to (rows L10, E3). */
import { type GuardedService, unary } from '@offstage/kit/grpc'
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { textFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import type { CallerLease } from '../domain/caller-lease.ts'
import type { CallerLeases } from '../namespaces/caller-leases.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { leaseIdFrom, namespaceFor, requestIdFrom } from './mapping.ts'

type LeaseCalls = Pick<
  GuardedService<proto.NamespaceServiceServer>,
  'createLease' | 'renewLease' | 'endLease'
>

const DURATION_MS_DEFAULT = 60_000

export function leaseCalls(leases: CallerLeases): LeaseCalls {
  return {
    createLease: unary('locks.take', async (request: proto.CreateLeaseRequest, context) => {
      const namespace = namespaceFor(context.actor, request.namespace)
      const fault = textFault(request.displayName, LIMITS.displayNameCharactersMax)
      if (fault !== undefined) throw invalidField('display_name', fault)
      const asked = {
        durationMs: durationMsFrom(request),
        displayName: request.displayName,
        requestId: requestIdFrom(request.requestId),
      }
      return { lease: leaseTo(await leases.create(callerOf(context), namespace, asked)) }
    }),

    renewLease: unary('locks.take', async (request: proto.RenewLeaseRequest, context) => {
      const namespace = namespaceFor(context.actor, request.namespace)
      const id = leaseIdFrom(request.leaseId)
      return { lease: leaseTo(await leases.renew(callerOf(context), namespace, id)) }
    }),

    endLease: unary('locks.take', async (request: proto.EndLeaseRequest, context) => {
      const namespace = namespaceFor(context.actor, request.namespace)
      await leases.end(callerOf(context), namespace, leaseIdFrom(request.leaseId))
      return {}
    }),
  }
}

function durationMsFrom({ duration }: proto.CreateLeaseRequest): number {
  const ms = msFrom(duration) ?? DURATION_MS_DEFAULT
  const { leaseMsMin, leaseMsMax } = LIMITS
  if (ms >= leaseMsMin && ms <= leaseMsMax) return Math.ceil(ms)
  throw invalidField('duration', `must be within ${leaseMsMin / 1_000} s and 1 day`)
}

function leaseTo({ id, owner, expireTime, displayName, durationMs }: CallerLease): proto.Lease {
  return { leaseId: id, owner, expireTime, displayName, duration: durationFrom(durationMs) }
}
