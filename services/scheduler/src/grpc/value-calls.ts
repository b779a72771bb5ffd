/** What temp storage asks: which of its values jobs still need, and which they have left behind. */
import { type GuardedService, unary } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/executor'
import { addressFault, collectViolations } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type { JobValueStore } from '../ports/values.ts'
import { invalidField, invalidFields } from '../refusals.ts'
import { pageSizeFrom } from './mapping.ts'

type ValueCalls = Pick<
  GuardedService<proto.ExecutorServiceServer>,
  'findNeededValues' | 'listDiscardedValues'
>

const PAGE = 500

export function valueCalls(store: JobValueStore): ValueCalls {
  return {
    findNeededValues: unary('values.keep', async ({ addresses }: proto.FindNeededValuesRequest) => {
      refuseTooMany('addresses', addresses)
      const violations = collectViolations((note) => {
        for (const [index, address] of addresses.entries()) {
          note(`addresses[${index}]`, address === '' ? 'is required' : addressFault(address))
        }
      })
      if (violations.length > 0) throw invalidFields(violations.slice(0, LIMITS.filterValuesMax))
      return { needed: await store.needed(addresses) }
    }),

    listDiscardedValues: unary(
      'values.keep',
      async (request: proto.ListDiscardedValuesRequest, { actor }) => {
        refuseTooMany('done', request.done)
        refuseStrangeIds(request.done)
        const size = pageSizeFrom(request.pageSize, PAGE)
        const done = request.done.map(Number)
        const values = await store.discarded(actor.namespaces, done, size)
        return { values: values.map(({ id, ...value }) => ({ id: BigInt(id), ...value })) }
      },
    ),
  }
}

function refuseStrangeIds(done: readonly bigint[]): void {
  const index = done.findIndex((id) => id < 1n || id > Number.MAX_SAFE_INTEGER)
  if (index !== -1) throw invalidField(`done[${index}]`, 'is no id of an earlier answer')
}

function refuseTooMany(field: string, list: readonly unknown[]): void {
  if (list.length > LIMITS.batchMax) throw invalidField(field, `must be at most ${LIMITS.batchMax}`)
}
