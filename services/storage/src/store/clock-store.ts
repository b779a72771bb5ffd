import type { Database, Statement } from '@offstage/kit/database'
import { JOB_VALUE_LOOK_MS } from '../domain/limits.ts'
import { LEASE_MS } from '../keep-lease.ts'
import type { ClockStore } from '../ports/sweeps.ts'

const PUT_BACK = {
  name: 'storage_clock_put_back',
  text: `SELECT greatest(0, extract(epoch FROM latest - clock_timestamp()) * 1000)::bigint AS ms
    FROM offstage_storage.clock`,
}

/** Not what was put back since it was looked at: that is left to be seen the next time. */
const ACCEPT = {
  name: 'storage_accept_clock',
  text: `UPDATE offstage_storage.clock SET latest = clock_timestamp()
    WHERE latest <= clock_timestamp() + ($1::bigint + 1) * interval '1 millisecond'`,
}

/** From a moment of the row on a due time is at most `length` ahead. Waits for locks: none is left out. */
function bringingBack(table: string, key: string, due: string, length: string): Statement {
  const furthest = `clock_timestamp() + ${length} * interval '1 millisecond'`
  return {
    name: `storage_bring_back_${table}_${due}`,
    text: `UPDATE offstage_storage.${table} SET ${due} = ${furthest} WHERE ${key} IN (
        SELECT ${key} FROM offstage_storage.${table} WHERE ${due} > ${furthest}
        ORDER BY ${key} LIMIT $1::int FOR NO KEY UPDATE)`,
  }
}

const BRING_BACK = [
  bringingBack('temp_values', 'address', 'expire_time', 'ttl_ms'),
  bringingBack('temp_values', 'address', 'look_time', String(JOB_VALUE_LOOK_MS)),
  bringingBack('scopes', 'id', 'expire_time', 'lease_ms'),
  bringingBack('uploads', 'id', 'expire_time', 'idle_ms'),
  bringingBack('uploads', 'id', 'writer_until', String(LEASE_MS)),
  bringingBack('blob_writers', 'id', 'lease_until', 'lease_ms'),
]

export function createClockStore(database: Database): ClockStore {
  return {
    async putBackMs() {
      const { rows } = await database.query<{ ms: number }>(PUT_BACK)
      return rows[0]?.ms ?? 0
    },
    async bringBack(limit) {
      let most = 0
      for (const statement of BRING_BACK) {
        most = Math.max(most, (await database.query(statement, [limit])).rowCount)
      }
      return most
    },
    async accept(putBackMs) {
      await database.query(ACCEPT, [putBackMs])
    },
  }
}
