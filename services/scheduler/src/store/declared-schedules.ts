/** Schedules that code declares (row K1): a version is applied once, in one transaction with what it changes. */
import type { Database, Queryable } from '@offstage/kit/database'
import type { ActBy } from '../domain/act.ts'
import type {
  DeclaredScheduleStore,
  DeclaredStanding,
  DeclareStep,
  WrittenDeclaration,
} from '../ports/schedules.ts'
import { saidFromStored, saidToJson } from './schedule-codec.ts'
import { changeSchedule, createSchedule, readSchedule, removeSchedule } from './schedules.ts'
import { readWhatCan } from './stored-shape.ts'

const COMPARE = {
  name: 'compare_declared_schedules',
  text: `
    SELECT d.version, coalesce(s.owner, d.owner) AS owner, d.said IS NOT DISTINCT FROM u.said AS same, s.id IS NOT NULL AS there
    FROM unnest($2::text[], $3::jsonb[]) WITH ORDINALITY AS u(id, said, place)
    LEFT JOIN offstage.declared_schedules d ON d.namespace = $1 AND d.id = u.id
    LEFT JOIN offstage.schedules s ON s.namespace = $1 AND s.id = u.id
    ORDER BY u.place`,
}

const FIND = {
  name: 'find_declared_schedule',
  text: 'SELECT owner, version, said FROM offstage.declared_schedules WHERE namespace = $1 AND id = $2',
}

/** Whoever comes second at the same moment waits for the first, and then finds another version. */
const WRITE = {
  name: 'write_declared_schedule',
  text: `
    INSERT INTO offstage.declared_schedules AS d (namespace, id, owner, version, said)
    VALUES ($1, $2, $3, $4::int, $5::jsonb)
    ON CONFLICT (namespace, id) DO UPDATE
      SET owner = excluded.owner, version = excluded.version, said = excluded.said, declare_time = now()
      WHERE d.version = $6::int
    RETURNING d.version`,
}

interface CompareRow {
  version: number | null
  owner: string
  same: boolean
  there: boolean
}

/** Rolls back what was begun. */
const MOVED = Symbol('not as it was read')

export function createDeclaredScheduleStore(database: Database): DeclaredScheduleStore {
  return {
    async compare(namespace, declarations) {
      const { rows } = await database.query<CompareRow>(COMPARE, [
        namespace,
        declarations.map(({ id }) => id),
        declarations.map(({ said }) => (said === undefined ? null : saidToJson(said))),
      ])
      return rows.map(standingFrom)
    },
    async find(namespace, id) {
      const { rows } = await database.query<{ owner: string; version: number; said: unknown }>(
        FIND,
        [namespace, id],
      )
      const schedule = await readSchedule(database, namespace, id, undefined)
      const [row] = rows
      const faults = schedule?.unreadable === undefined ? [] : [schedule.unreadable]
      const said = row?.said == null ? undefined : readWhatCan(saidFromStored, row.said, faults)
      return {
        schedule,
        declared: row && { version: row.version, said },
        owner: schedule?.owner ?? row?.owner,
        unreadable: faults[0],
      }
    },
    declare: (written, step, by) =>
      database
        .transaction(async (tx) => {
          await write(tx, written)
          await take(tx, step, by)
          return true
        })
        .catch((error) => {
          if (error === MOVED) return false
          throw error
        }),
  }
}

function standingFrom({ version, owner, same, there }: CompareRow): DeclaredStanding | undefined {
  return version === null ? undefined : { version, owner, isSame: same, isThere: there }
}

async function write(tx: Queryable, written: WrittenDeclaration): Promise<void> {
  const { namespace, id, owner, version, said, expected } = written
  const json = said === undefined ? null : saidToJson(said)
  const { rowCount } = await tx.query(WRITE, [
    namespace,
    id,
    owner,
    version,
    json,
    expected ?? null,
  ])
  if (rowCount === 0) throw MOVED
}

async function take(
  tx: Queryable,
  { create, change, remove }: DeclareStep,
  by: ActBy,
): Promise<void> {
  if (create !== undefined && (await createSchedule(tx, create)) === undefined) throw MOVED
  if (change !== undefined) {
    const { schedule, change: changes } = change
    if ((await changeSchedule(tx, schedule, changes, by)) === undefined) throw MOVED
  }
  if (remove !== undefined) await removeSchedule(tx, remove, by)
}
