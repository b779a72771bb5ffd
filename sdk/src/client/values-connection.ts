/** How a client's reusable values and those of the namespace are refreshed together (row C6). */
import { checkOptions } from '../arguments/check-options.ts'
import { type RefreshTarget, scopeOf } from '../values/reusable.ts'
import {
  store as aStore,
  defaultValuesStore,
  openValuesStores,
  ValuesStore,
} from '../values/store.ts'
import type { Session } from './session.ts'

/** Refreshes go both ways until it is disposed. */
export interface ValuesConnection extends Disposable {
  /** Resolves once refreshes of others are heard; rejects with an OffstageError where the scheduler lets nobody hear them. */
  readonly ready: Promise<void>
}

export function connectValues(
  { refreshes }: Session,
  options: { readonly store?: ValuesStore },
): ValuesConnection {
  const { store = defaultValuesStore } = checkOptions('connectValues', options, { store: aStore })
  const connection = store.connectRefresh(refreshes)
  return {
    ready: refreshes.reached,
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  }
}

export async function refreshValues(
  { refreshes }: Session,
  target: RefreshTarget | undefined,
): Promise<void> {
  const scope = scopeOf(target)
  if (scope === undefined) return
  const told = new Set([refreshes])
  const here = ValuesStore.refresh(openValuesStores(), scope, told)
  await Promise.all([here, refreshes.publish({ origin: '', scope })])
}
