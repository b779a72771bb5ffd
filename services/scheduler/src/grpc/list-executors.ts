import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Turns } from '@offstage/kit/fairness'
import {
  type Guarded,
  pageTokenAt,
  pageTokenInvalid,
  positionFrom,
  unary,
} from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/jobs'
import { countFitting } from '../domain/answer-size.ts'
import type { AttachedExecutor } from '../domain/attached-executor.ts'
import { isSessionKey } from '../domain/ids.ts'
import type { AttachmentStore } from '../ports/executors.ts'
import { namespaceFor, pageSizeFrom } from './mapping.ts'

/** The executors of all replicas: they are stored with their attachments. */
export function listExecutors(
  store: Pick<AttachmentStore, 'list'>,
  turns?: Turns,
): Guarded<handleUnaryCall<proto.ListExecutorsRequest, proto.ListExecutorsResponse>> {
  return unary(
    'executors.read',
    async (request: proto.ListExecutorsRequest, { actor }) => {
      const namespace = namespaceFor(actor, request.namespace)
      const size = pageSizeFrom(request.pageSize, 50)
      const listing = ['executors', namespace]
      const after = positionFrom(request.pageToken, listing)
      if (after !== undefined && !isSessionKey(after)) throw pageTokenInvalid()
      const found = await store.list(namespace, { size: size + 1, after })
      const page = found.slice(0, Math.min(size, countFitting(found, executorBytes)))
      const more = found.length > page.length
      const last = page.at(-1)?.sessionKey ?? ''
      return {
        executors: page.map(executorTo),
        nextPageToken: more ? pageTokenAt(last, listing) : '',
      }
    },
    turns,
  )
}

/** An upper bound: texts of a Hello are short or ASCII. */
function executorBytes(executor: AttachedExecutor): number {
  const { methods, pools, labels, versions, name, software } = executor
  const maps = [labels, versions].flatMap((map) => Object.entries(map).flat())
  const texts = [name, software, ...pools, ...maps]
  const text = texts.reduce((sum, { length }) => sum + 3 * length + 8, 0)
  return methods.reduce((sum, { length }) => sum + length + 4, text + 500)
}

function executorTo(executor: AttachedExecutor): proto.Executor {
  const { sessionId, name, software, labels, scheduler, methods, pools } = executor
  return {
    sessionId,
    name,
    software,
    labels: { ...labels },
    scheduler,
    lanes: executor.lanes.map((lane) => ({ ...lane })),
    methods: [...methods],
    pools: [...pools],
    versions: { ...executor.versions },
    attachTime: executor.attachTime,
    inDoubt: executor.inDoubt,
    draining: executor.draining,
  }
}
