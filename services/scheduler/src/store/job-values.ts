/** Values in temp storage that are the own of jobs: which are still needed, and which are to be discarded. */
import type { Database } from '@offstage/kit/database'
import type { DiscardedValue, JobValueStore } from '../ports/values.ts'

/** SQL: whether a job `k` names this value as its parameters or results. */
export const isNamedBy = (address: string) => `
  (k.params_address = ${address} OR k.result_address = ${address} OR k.additional_result->>'address' = ${address})`

const NEEDED = {
  name: 'needed_values',
  text: `
    SELECT u.address FROM unnest($1::text[]) AS u(address)
    WHERE EXISTS (SELECT FROM offstage.jobs k WHERE ${isNamedBy('u.address')})`,
}

const FORGET = {
  name: 'forget_discarded_values',
  text: 'DELETE FROM offstage.discarded_values WHERE id = ANY ($1::bigint[])',
}

const DISCARDED = {
  name: 'discarded_values',
  text: `
    SELECT id, namespace, owner, address FROM offstage.discarded_values
    WHERE $1::text[] IS NULL OR namespace = ANY ($1) ORDER BY id LIMIT $2::int`,
}

export function createJobValueStore(database: Database): JobValueStore {
  return {
    async needed(addresses) {
      const { rows } = await database.query<{ address: string }>(NEEDED, [addresses])
      return rows.map(({ address }) => address)
    },
    async discarded(namespaces, done, limit) {
      if (done.length > 0) await database.query(FORGET, [done])
      const values = [namespaces === 'all' ? null : namespaces, limit]
      return (await database.query<DiscardedValue>(DISCARDED, values)).rows
    },
  }
}
