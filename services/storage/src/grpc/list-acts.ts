import type { Turns } from '@offstage/kit/fairness'
import { pageTokenAt, pageTokenInvalid, positionFrom, unary } from '@offstage/kit/grpc'
import type { ListActsRequest, ListActsResponse } from '@offstage/proto/storage'
import type { ActStore } from '../ports/acts.ts'
import { enteredNamespace } from '../values/place.ts'
import { actMessage, actsFromRequest } from './mapping.ts'

/** What administrators did with values and scopes of others, newest first. */
export function listActs(acts: Pick<ActStore, 'list'>, turns: Turns) {
  return unary(
    'acts.read',
    async (request: ListActsRequest, { actor }): Promise<ListActsResponse> => {
      const { namespace: named, user, from, before, pageSize = 50 } = actsFromRequest(request)
      const namespace = enteredNamespace(actor, named)
      const listing = ['acts', namespace, user, from, before]
      const position = positionFrom(request.pageToken, listing)
      const below = position === undefined ? undefined : Number(position)
      if (below !== undefined && !Number.isSafeInteger(below)) throw pageTokenInvalid()
      const page = { size: pageSize + 1, before: below }
      const found = await acts.list(namespace, { user, from, before }, page)
      const told = found.slice(0, pageSize)
      const more = found.length > told.length
      const last = String(told.at(-1)?.id ?? '')
      return {
        acts: told.map(actMessage),
        nextPageToken: more ? pageTokenAt(last, listing) : '',
      }
    },
    turns,
  )
}
