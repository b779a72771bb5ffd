/** Refreshes of reusable values (row C6). */
import { type GuardedService, serverStream, unary } from '@offstage/kit/grpc'
import { textFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { paramsTextFault, type RefreshNews, type RefreshScope } from '../domain/value-refresh.ts'
import type { Refreshes } from '../refreshes/refreshes.ts'
import { invalidField } from '../refusals.ts'
import { namespaceFor } from './mapping.ts'

export type RefreshCalls = Pick<
  GuardedService<proto.NamespaceServiceServer>,
  'refreshValues' | 'listRefreshes' | 'watchRefreshes'
>

export function refreshCalls(refreshes: Refreshes): RefreshCalls {
  return {
    refreshValues: unary(
      'refreshes.send',
      async (request: proto.RefreshValuesRequest, { actor }) => {
        const namespace = namespaceFor(actor, request.namespace)
        const scopes = scopesFrom(request.scopes)
        return { epoch: BigInt(await refreshes.refresh(actor.user, namespace, scopes)) }
      },
    ),

    listRefreshes: unary(
      'refreshes.hear',
      async (request: proto.ListRefreshesRequest, { actor }) => {
        const namespace = namespaceFor(actor, request.namespace)
        return newsTo(await refreshes.list(namespace, epochFrom(request.afterEpoch)))
      },
    ),

    watchRefreshes: serverStream(
      'refreshes.hear',
      async function* (request: proto.WatchRefreshesRequest, { actor, signal }) {
        const namespace = namespaceFor(actor, request.namespace)
        const after = epochFrom(request.afterEpoch)
        for await (const news of refreshes.watch(namespace, after, signal)) yield newsTo(news)
      },
    ),
  }
}

function scopesFrom(scopes: readonly proto.RefreshScope[]): RefreshScope[] {
  if (scopes.length === 0 || scopes.length > LIMITS.refreshScopesMax) {
    throw invalidField('scopes', `must be 1 to ${LIMITS.refreshScopesMax}`)
  }
  return scopes.map((scope, index) => scopeFrom(scope, `scopes[${index}]`))
}

function scopeFrom({ function: name, params, tag }: proto.RefreshScope, field: string) {
  const check = (part: string, text: string, charactersMax: number) => {
    const fault = textFault(text, charactersMax)
    if (fault !== undefined) throw invalidField(`${field}.${part}`, fault)
  }
  check('function', name, LIMITS.reusableNameCharactersMax)
  check('params', params ?? '', LIMITS.refreshParamsCharactersMax)
  check('tag', tag, LIMITS.valueTagCharactersMax)
  if (tag !== '' && (name !== '' || params !== undefined)) {
    throw invalidField(`${field}.tag`, 'must be alone: not with a function')
  }
  if (params !== undefined && name === '') {
    throw invalidField(`${field}.params`, 'must be those of a function')
  }
  const unreadable = params === undefined ? undefined : paramsTextFault(params)
  if (unreadable !== undefined) throw invalidField(`${field}.params`, unreadable)
  return { function: name || undefined, params, tag: tag || undefined }
}

function epochFrom(epoch: bigint): number {
  if (epoch >= 0n && epoch <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(epoch)
  throw invalidField('after_epoch', 'must be the epoch of an answer, or 0')
}

function newsTo({ epoch, all, refreshes }: RefreshNews): proto.ListRefreshesResponse {
  return {
    epoch: BigInt(epoch),
    all,
    refreshes: refreshes.map(({ epoch: at, scope }) => ({
      epoch: BigInt(at),
      scope: { function: scope.function ?? '', params: scope.params, tag: scope.tag ?? '' },
    })),
  }
}
