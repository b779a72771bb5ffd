/** Values that are the own of jobs: when it is time to ask for them, and what follows from the answer. */
import type { Database } from '@offstage/kit/database'
import type { Address } from '../domain/identifier.ts'
import { JOB_VALUE_LOOK_MS } from '../domain/limits.ts'
import type { JobValueStore } from '../ports/job-values.ts'
import type { GoneValue } from '../ports/values.ts'

const ANY = {
  name: 'storage_any_job_value',
  text: 'SELECT EXISTS (SELECT FROM offstage_storage.temp_values WHERE look_time IS NOT NULL) AS found',
}

/** Of what somebody put there who is neither its owner nor a job's executor nothing goes. */
const DELETE_DISCARDED = {
  name: 'storage_delete_discarded',
  text: `DELETE FROM offstage_storage.temp_values WHERE address IN (
      SELECT v.address FROM unnest($1::text[], $2::text[], $3::text[]) AS d(address, namespace, owner)
      JOIN offstage_storage.temp_values v USING (address, namespace, owner)
      WHERE v.look_time IS NOT NULL ORDER BY v.address FOR UPDATE OF v)
    RETURNING address, namespace`,
}

const DUE = {
  name: 'storage_job_values_due',
  text: `SELECT address FROM offstage_storage.temp_values WHERE look_time <= now()
    ORDER BY look_time LIMIT $1::int`,
}

const HELD = `SELECT address FROM offstage_storage.temp_values
      WHERE address = ANY ($1::text[]) AND look_time <= now() ORDER BY address FOR UPDATE SKIP LOCKED`

const KEEP = {
  name: 'storage_keep_job_values',
  text: `UPDATE offstage_storage.temp_values
    SET look_time = clock_timestamp() + ${JOB_VALUE_LOOK_MS} * interval '1 millisecond' WHERE address IN (${HELD})`,
}

const DELETE_NEEDLESS = {
  name: 'storage_delete_needless',
  text: `DELETE FROM offstage_storage.temp_values WHERE address IN (${HELD}) RETURNING address, namespace`,
}

export function createJobValueStore(database: Database): JobValueStore {
  return {
    async isAny() {
      return (await database.query<{ found: boolean }>(ANY, [])).rows[0]?.found === true
    },
    async deleteDiscarded(values) {
      const columns = [
        values.map(({ address }) => address),
        values.map(({ namespace }) => namespace),
        values.map(({ owner }) => owner),
      ]
      return (await database.query<GoneValue>(DELETE_DISCARDED, columns)).rows
    },
    async due(limit) {
      const { rows } = await database.query<{ address: Address }>(DUE, [limit])
      return rows.map(({ address }) => address)
    },
    async keep(addresses) {
      await database.query(KEEP, [addresses])
    },
    async deleteNeedless(addresses) {
      return (await database.query<GoneValue>(DELETE_NEEDLESS, [addresses])).rows
    },
  }
}
