import type { handleUnaryCall } from '@grpc/grpc-js'
import { type Actor, may, mayForOthers } from '@offstage/kit/auth'
import type { Turns } from '@offstage/kit/fairness'
import {
  type Guarded,
  pageTokenAt,
  pageTokenInvalid,
  positionFrom,
  unary,
} from '@offstage/kit/grpc'
import { methodFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { countFitting } from '../domain/answer-size.ts'
import type { KnownMethod } from '../domain/known-method.ts'
import { mayStart } from '../jobs/may-start.ts'
import type { MethodStore } from '../ports/executors.ts'
import { deadlinesTo, namespaceFor, pageSizeFrom, retryTo } from './mapping.ts'

/** The methods executors have announced, those of executors that are gone too. */
export function listMethods(
  store: Pick<MethodStore, 'list'>,
  turns?: Turns,
): Guarded<handleUnaryCall<proto.ListMethodsRequest, proto.ListMethodsResponse>> {
  return unary(
    'namespaces.read',
    async (request: proto.ListMethodsRequest, { actor }) => {
      const namespace = namespaceFor(actor, request.namespace)
      const size = pageSizeFrom(request.pageSize, 50)
      const listing = ['methods', namespace]
      const after = positionFrom(request.pageToken, listing) ?? ''
      if (after !== '' && methodFault(after) !== undefined) throw pageTokenInvalid()
      const found = await store.list(namespace, { size: size + 1, after })
      const page = found.slice(0, Math.min(size, countFitting(found, methodBytes)))
      const more = found.length > page.length
      const last = page.at(-1)?.name ?? ''
      return {
        methods: page.map((method) => methodTo(method, actor)),
        nextPageToken: more ? pageTokenAt(last, listing) : '',
      }
    },
    turns,
  )
}

const UNREADABLE_BYTES = 1_000

/** An upper bound: a UTF-16 unit takes three bytes at most. */
function methodBytes({ definition, versions }: KnownMethod): number {
  const versioned = versions.reduce((sum, { version }) => sum + version.length + 10, 0)
  if ('unreadable' in definition) return UNREADABLE_BYTES + versioned
  const { name, description, paramsSchema, resultSchema, startableBy } = definition
  const labels = Object.entries(definition.labelExpressions ?? {}).flat()
  const starters = startableBy?.users.reduce((sum, user) => sum + 3 * user.length + 4, 0) ?? 0
  return (
    300 +
    versioned +
    starters +
    labels.reduce((sum, { length }) => sum + 3 * length + 4, 0) +
    3 * (name.length + description.length + paramsSchema.length + resultSchema.length)
  )
}

function methodTo(method: KnownMethod, actor: Actor): proto.Method {
  const { name, definition, paused, executors: executorCount } = method
  const versions = method.versions.map(({ version, executors }) => ({
    ...{ version, executorCount: executors },
  }))
  if ('unreadable' in definition)
    return { ...NOTHING_READ, ...definition, name, paused, executorCount, versions }
  const { description, paramsSchema, resultSchema, lane, retry, startableBy } = definition
  const deadlines = deadlinesTo(definition)
  const isLimited = Object.values(deadlines).some((deadline) => deadline !== undefined)
  return {
    name,
    description,
    paramsSchema,
    resultSchema,
    lane: lane as proto.Lane,
    retryPolicy: retryTo(retry),
    deadlines: isLimited ? deadlines : undefined,
    paused,
    executorCount,
    startableBy: startableBy && {
      roles: [...startableBy.roles],
      users: mayForOthers(actor, 'jobs.read') ? [...startableBy.users] : [],
    },
    privileged: definition.privileged,
    startable: may(actor, 'jobs.start') && mayStart(actor, definition),
    unreadable: undefined,
    labelExpressions: { ...definition.labelExpressions },
    versions,
  }
}

const NOTHING_READ = {
  description: '',
  paramsSchema: '',
  resultSchema: '',
  lane: 0 as proto.Lane,
  retryPolicy: undefined,
  deadlines: undefined,
  startableBy: undefined,
  privileged: undefined,
  startable: false,
  labelExpressions: {},
}
