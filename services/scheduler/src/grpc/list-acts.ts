import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Turns } from '@offstage/kit/fairness'
import {
  type Guarded,
  pageTokenAt,
  pageTokenInvalid,
  positionFrom,
  unary,
} from '@offstage/kit/grpc'
import { collectViolations, textFault, timeFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { countFitting } from '../domain/answer-size.ts'
import type { ActStore, RecordedAct } from '../ports/acts.ts'
import { invalidFields } from '../refusals.ts'
import { namespaceFor, pageSizeFrom } from './mapping.ts'

/** What was done on things of others and on the place, newest first. */
export function listActs(
  store: Pick<ActStore, 'list'>,
  turns: Turns,
): Guarded<handleUnaryCall<proto.ListActsRequest, proto.ListActsResponse>> {
  return unary(
    'acts.read',
    async (request: proto.ListActsRequest, { actor }) => {
      const namespace = namespaceFor(actor, request.namespace)
      const { user, timeFrom: from, timeBefore } = request
      refuseFaults(request)
      const size = pageSizeFrom(request.pageSize, 50)
      const listing = ['acts', namespace, user, from, timeBefore]
      const position = positionFrom(request.pageToken, listing)
      const before = position === undefined ? undefined : Number(position)
      if (before !== undefined && !Number.isSafeInteger(before)) throw pageTokenInvalid()
      const filter = { user, from, before: timeBefore }
      const found = await store.list(namespace, filter, { size: size + 1, before })
      const page = found.slice(0, Math.min(size, countFitting(found, actBytes)))
      const more = found.length > page.length
      const last = String(page.at(-1)?.id ?? '')
      return { acts: page.map(actTo), nextPageToken: more ? pageTokenAt(last, listing) : '' }
    },
    turns,
  )
}

function refuseFaults({ user, timeFrom, timeBefore }: proto.ListActsRequest): void {
  const violations = collectViolations((note) => {
    note('user', textFault(user, LIMITS.ownerCharactersMax))
    note('time_from', timeFault(timeFrom))
    note('time_before', timeFault(timeBefore))
  })
  if (violations.length > 0) throw invalidFields(violations)
}

/** An upper bound: a UTF-16 unit takes three bytes at most. */
function actBytes({ by, namespace, targets, owners }: RecordedAct): number {
  const texts = [by.user, by.peer, by.call, namespace, ...by.roles, ...targets, ...owners]
  return texts.reduce((sum, { length }) => sum + 3 * length + 4, 100)
}

function actTo({ time, namespace, by, targets, owners, outcome }: RecordedAct): proto.Act {
  const { user, roles, peer, call } = by
  return {
    actTime: time,
    namespace,
    user,
    roles: [...roles],
    peer,
    call,
    targets: [...targets],
    owners: [...owners],
    outcome,
  }
}
