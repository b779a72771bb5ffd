import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Turns } from '@offstage/kit/fairness'
import { type Guarded, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import type { PreviewRetention } from '../namespaces/preview-retention.ts'
import type { ExpiredJobs } from '../ports/retention.ts'
import { namespaceFor } from './mapping.ts'
import { retentionFrom } from './retention-mapping.ts'

/** Tells what the next sweep would remove. */
export function previewRetention(
  preview: PreviewRetention,
  turns: Turns,
): Guarded<handleUnaryCall<proto.PreviewRetentionRequest, proto.PreviewRetentionResponse>> {
  return unary(
    'namespaces.operate',
    async (request: proto.PreviewRetentionRequest, { actor }) => {
      const namespace = namespaceFor(actor, request.namespace)
      const rules = retentionFrom(request.retention)
      const expired = await preview(namespace, rules.length > 0 ? rules : undefined)
      return { expired: expired.map(expiredTo) }
    },
    turns,
  )
}

function expiredTo({ kind, state, keptCount, expiredCount, oldest }: ExpiredJobs) {
  return {
    kind,
    state,
    keptCount: BigInt(keptCount),
    expiredCount: BigInt(expiredCount),
    oldestFinishTime: oldest,
  }
}
