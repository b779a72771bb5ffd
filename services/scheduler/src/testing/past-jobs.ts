import { randomUUID } from 'node:crypto'
import type { Database } from '@offstage/kit/database'

export interface PastJobs {
  readonly count?: number
  readonly namespace?: string
  /** Default: program. */
  readonly kind?: number
  /** Default: succeeded. */
  readonly state?: number
  /** Of the newest; each other one ended a second before the next. Default: now. */
  readonly endedMsAgo?: number
  readonly parentId?: string
  readonly paramsAddress?: string
}

/** Puts jobs there that ended some time ago; their ids, newest first. */
export async function pastJobs(database: Database, of: PastJobs): Promise<string[]> {
  const { count = 1, namespace = 'default', kind = 1, state = 5, endedMsAgo = 0 } = of
  const ids = Array.from({ length: count }, () => randomUUID() as string)
  const text = `
    INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, finish_time,
      parent_id, params_address)
    SELECT u.id, $2, 'test.past', $3::int, 1, $4::int, 0, 1, 'ann',
      now() - ($5::float8 + 1000 * (u.place - 1)) * interval '1 ms', $6::uuid, $7
    FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, place)`
  const { parentId = null, paramsAddress = null } = of
  const values = [ids, namespace, state, kind, endedMsAgo, parentId, paramsAddress]
  await database.query({ name: '', text }, values)
  return ids
}

/** Which of these are still there. */
export async function stillThere(database: Database, ids: readonly string[]): Promise<string[]> {
  const text = 'SELECT id FROM offstage.jobs WHERE id = ANY ($1::uuid[])'
  const { rows } = await database.query<{ id: string }>({ name: '', text }, [ids])
  const there = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => there.has(id))
}
