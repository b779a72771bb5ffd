/** The record of acts: written with what they change, read by administrators, swept when old. */
import type { Database, Queryable } from '@offstage/kit/database'
import type { Act } from '../domain/act.ts'
import type { ActStore, RecordedAct } from '../ports/acts.ts'

const RECORD = {
  name: 'record_act',
  text: `
    INSERT INTO offstage.acts (namespace, actor, roles, peer, call, targets, owners, outcome)
    VALUES ($1, $2, $3::text[], $4, $5, $6::text[], $7::text[], $8)
    RETURNING id`,
}

const TAKE_BACK = { name: 'take_back_act', text: 'DELETE FROM offstage.acts WHERE id = $1::bigint' }

const LIST = {
  name: 'list_acts',
  text: `
    SELECT id, act_time, namespace, actor, roles, peer, call, targets, owners, outcome
    FROM offstage.acts
    WHERE namespace = $1 AND ($2::bigint IS NULL OR id < $2) AND ($3::text IS NULL OR actor = $3)
      AND ($4::timestamptz IS NULL OR act_time >= $4) AND ($5::timestamptz IS NULL OR act_time < $5)
    ORDER BY id DESC LIMIT $6::int`,
}

const FORGET = {
  name: 'forget_acts',
  text: `
    DELETE FROM offstage.acts WHERE id IN (
      SELECT id FROM offstage.acts WHERE act_time < now() - $1::float8 * interval '1 ms'
      ORDER BY act_time LIMIT $2::int FOR UPDATE SKIP LOCKED)`,
}

/** As part of a transaction, where it is one that changes something. Its number. */
export async function recordAct(tx: Queryable, act: Act): Promise<number> {
  const { by, namespace, targets, owners, outcome } = act
  const { user, roles, peer, call } = by
  const values = [namespace, user, roles, peer, call, targets, owners, outcome]
  const { rows } = await tx.query<Pick<ActRow, 'id'>>(RECORD, values)
  return rows[0]?.id ?? 0
}

/** One that was recorded before it was tried, and then refused. */
export async function takeBackAct(database: Queryable, id: number): Promise<void> {
  await database.query(TAKE_BACK, [id])
}

interface ActRow {
  id: number
  act_time: Date
  namespace: string
  actor: string
  roles: string[]
  peer: string
  call: string
  targets: string[]
  owners: string[]
  outcome: RecordedAct['outcome']
}

export function createActStore(database: Database): ActStore {
  return {
    async record(act) {
      await recordAct(database, act)
    },
    async list(namespace, { user, from, before }, page) {
      const { rows } = await database.query<ActRow>(LIST, [
        namespace,
        page.before,
        user || null,
        from,
        before,
        page.size,
      ])
      return rows.map(({ id, act_time, actor, roles, peer, call, ...act }) => ({
        ...act,
        id,
        time: act_time,
        by: { user: actor, roles, peer, call },
      }))
    },
    async forget(olderMs, limit) {
      return (await database.query(FORGET, [olderMs, limit])).rowCount
    },
  }
}
