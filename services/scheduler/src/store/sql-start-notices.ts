/** What transactions that have started jobs by SQL tell as they commit (migrations/0017-sql-starts.sql). Hints, to be believed by nobody. */
import { createNotifications } from '@offstage/kit/database'
import type { Service } from '@offstage/kit/lifecycle'
import type { SqlStartListener } from '../ports/sql-starts.ts'

const QUEUED = 'offstage_starts'
const UNCHECKED = 'offstage_unchecked_starts'

interface Server {
  readonly databaseUrl: string
  readonly databasePasswordFile?: string
}

export function listenForSqlStarts(
  { databaseUrl, databasePasswordFile }: Server,
  { queued, unchecked, onError }: SqlStartListener,
): Service {
  return createNotifications({
    url: databaseUrl,
    passwordFile: databasePasswordFile,
    applicationName: 'offstage-scheduler-starts',
    channels: [QUEUED, UNCHECKED],
    onNotification(channel, payload) {
      if (channel === UNCHECKED) return unchecked()
      const [namespace, method] = payload.split(' ')
      if (namespace && method) queued(namespace, method)
    },
    onError,
  })
}
