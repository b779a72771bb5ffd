import type { Queryable } from '@offstage/kit/database'
import type { RefreshStore } from '../ports/refreshes.ts'
import { foldRefreshes } from './fold-refreshes.ts'
import { readRefreshes } from './read-refreshes.ts'
import { recordRefreshes } from './record-refreshes.ts'

export function createRefreshStore(database: Queryable): RefreshStore {
  return {
    record: (asked) => recordRefreshes(database, asked),
    read: (known) => readRefreshes(database, known),
    fold: () => foldRefreshes(database),
  }
}
