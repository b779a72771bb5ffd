/** How a client's reusable values and those of the namespace are refreshed together (row C6). Most clients remember nothing: stores are loaded when asked for. */
import { checkOptions } from '../arguments/check-options.ts'
import { isObject, rule } from '../arguments/rules.ts'
import type { RefreshTarget } from '../values/reusable.ts'
import type { ValuesStore } from '../values/store.ts'
import type { Session } from './session.ts'

/** Refreshes go both ways until it is disposed. */
export interface ValuesConnection extends Disposable {
  /** Resolves once refreshes of others are heard; rejects with an OffstageError where the scheduler lets nobody hear them. */
  readonly ready: Promise<void>
}

const RULES = {
  store: rule(
    'a store made by createValuesStore',
    (value) => isObject(value) && 'connectRefresh' in value,
  ),
}

export function connectValues(
  { refreshes }: Session,
  options: { readonly store?: ValuesStore },
): ValuesConnection {
  const { store } = checkOptions('connectValues', options, RULES)
  let isOver = false
  let connection = store?.connectRefresh(refreshes)
  const connected = async () => {
    if (connection === undefined) {
      const { defaultValuesStore } = await import('../values/store.ts')
      if (!isOver) connection = defaultValuesStore.connectRefresh(refreshes)
    }
    await refreshes.reached
  }
  const ready = connected()
  ready.catch(() => {
    // Told to those who wait for it.
  })
  return {
    ready,
    [Symbol.dispose]: () => {
      isOver = true
      connection?.[Symbol.dispose]()
    },
  }
}

export async function refreshValues(
  { refreshes }: Session,
  target: RefreshTarget | undefined,
): Promise<void> {
  const { scopeOf } = await import('../values/reusable.ts')
  const { openValuesStores, ValuesStore } = await import('../values/store.ts')
  const scope = scopeOf(target)
  if (scope !== undefined) await ValuesStore.refresh(openValuesStores(), scope, refreshes)
}
