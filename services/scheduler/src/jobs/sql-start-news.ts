/** Hears of the jobs that applications start by SQL, where the database can tell. The sweep finds them anyway. */
import type { Service } from '@offstage/kit/lifecycle'
import type { SqlStartListener } from '../ports/sql-starts.ts'

export interface SqlStartNews {
  /** None where nobody but the scheduler comes to the database. */
  readonly services: readonly Service[]
  /** Calls the listener whenever there is something to be looked at before it is queued. */
  onUnchecked(listener: () => void): void
}

export function createSqlStartNews(
  listen: ((listener: SqlStartListener) => Service) | undefined,
  { queued, onError }: Omit<SqlStartListener, 'unchecked'>,
): SqlStartNews {
  let unchecked = () => {}
  return {
    services:
      listen === undefined ? [] : [listen({ queued, onError, unchecked: () => unchecked() })],
    onUnchecked(listener) {
      unchecked = listener
    },
  }
}
