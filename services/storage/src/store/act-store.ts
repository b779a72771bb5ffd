/** The record of what administrators did with things of others. */
import type { Database } from '@offstage/kit/database'
import type { ActStore } from '../ports/acts.ts'

const RECORD = {
  name: 'storage_record_act',
  text: `INSERT INTO offstage_storage.acts (namespace, actor, roles, peer, call, target, owner)
    VALUES ($1, $2, $3::text[], $4, $5, $6, $7)`,
}

const LIST = {
  name: 'storage_list_acts',
  text: `SELECT id, act_time AS time, namespace, actor AS user, roles, peer, call, target, owner
    FROM offstage_storage.acts
    WHERE namespace = $1 AND ($2::bigint IS NULL OR id < $2) AND ($3::text IS NULL OR actor = $3)
      AND ($4::timestamptz IS NULL OR act_time >= $4) AND ($5::timestamptz IS NULL OR act_time < $5)
    ORDER BY id DESC LIMIT $6::int`,
}

const FORGET = {
  name: 'storage_forget_acts',
  text: `DELETE FROM offstage_storage.acts WHERE id IN (
      SELECT id FROM offstage_storage.acts WHERE act_time < now() - $1::float8 * interval '1 ms'
      ORDER BY act_time LIMIT $2::int FOR UPDATE SKIP LOCKED)`,
}

export function createActStore(database: Database): ActStore {
  return {
    async record({ namespace, user, roles, peer, call, target, owner }) {
      await database.query(RECORD, [namespace, user, roles, peer, call, target, owner])
    },
    async list(namespace, { user, from, before }, page) {
      const values = [namespace, page.before, user, from, before, page.size]
      const { rows } = await database.query<Awaited<ReturnType<ActStore['list']>>[number]>(
        LIST,
        values,
      )
      return rows
    },
    async forget(olderMs, limit) {
      return (await database.query(FORGET, [olderMs, limit])).rowCount
    },
  }
}
