import type { handleUnaryCall } from '@grpc/grpc-js'
import { type Guarded, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import type { Settings } from '../namespaces/settings.ts'
import type { NamespaceSettings } from '../ports/namespaces.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { limitsFrom, limitTo } from './limits-mapping.ts'
import { namespaceFor } from './mapping.ts'
import { retentionFrom, retentionTo } from './retention-mapping.ts'

/** What can be changed, by the names of its fields. */
const CHANGEABLE = ['retention', 'limits'] as const
type Changeable = (typeof CHANGEABLE)[number]

/** Changes what is set for a namespace. */
export function updateNamespace(
  settings: Settings,
): Guarded<handleUnaryCall<proto.UpdateNamespaceRequest, proto.UpdateNamespaceResponse>> {
  return unary('namespaces.administer', async (request: proto.UpdateNamespaceRequest, context) => {
    const { namespace: asked, updateMask } = request
    if (asked === undefined) throw invalidField('namespace', 'is required')
    const name = namespaceFor(context.actor, asked.name)
    const fields = fieldsFrom(asked, updateMask)
    const change = {
      etag: asked.etag || undefined,
      retention: fields.has('retention') ? retentionFrom(asked.retention) : undefined,
      limits: fields.has('limits') ? limitsFrom(asked.limits) : undefined,
    }
    const updated = await settings.update(name, change, callerOf(context))
    return { namespace: namespaceTo(name, updated) }
  })
}

export function namespaceTo(name: string, settings: NamespaceSettings): proto.Namespace {
  const { revision, paused, pausedPools, retention, limits, announcedLimits, exclusive } = settings
  return {
    exclusiveOwner: exclusive?.owner ?? '',
    exclusiveTime: exclusive?.time,
    exclusiveAskTime: exclusive?.askTime,
    exclusiveExpireTime: exclusive?.expireTime,
    name,
    paused,
    pausedPools: [...pausedPools],
    retention: retention.map(retentionTo),
    limits: limits.map(limitTo),
    announcedLimits: announcedLimits.map(limitTo),
    etag: String(revision),
  }
}

function fieldsFrom(asked: proto.Namespace, mask: readonly string[] | undefined): Set<Changeable> {
  if (mask === undefined || mask.length === 0) {
    return new Set(CHANGEABLE.filter((field) => asked[field].length > 0))
  }
  return new Set(
    mask.map((path) => {
      const field = CHANGEABLE.find((each) => each === path)
      if (field !== undefined) return field
      throw invalidField('update_mask', `must name ${CHANGEABLE.join(' or ')}, nothing else`)
    }),
  )
}
