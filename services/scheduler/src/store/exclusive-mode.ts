/**
 * Namespaces that somebody has for themselves (row L10), by a lease of theirs.
 *
 * Invariants:
 *  1. What lets jobs begin and records starts looks in its own statement whether somebody has the namespace, under the lock of gates
 *     (gates.ts); entering and leaving take that for themselves. So what is begun before a grant is seen by it, and what comes after sees it.
 *  2. It is granted by a statement that finds nothing of others running while none can begin.
 *  3. It is void when its lease is, in the statement that looks: nothing has to be done.
 */
import type { Database, Queryable } from '@offstage/kit/database'
import type { ExclusiveHolder, RunningJobOfOthers } from '../domain/exclusive-mode.ts'
import type { LeaseId } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type {
  EnterExclusive,
  EnteredExclusive,
  ExclusiveModeStore,
} from '../ports/exclusive-mode.ts'
import { recordAct } from './acts.ts'
import { leaseLives, RENEW_LEASE } from './caller-leases.ts'
import { refusedInExclusive } from './exclusive-mode-sql.ts'
import { beginEpoch, lockGates } from './lock-gates.ts'

const HOLDER_COLUMNS = `n.exclusive_owner AS owner, n.exclusive_lease AS lease_id, n.exclusive_ask_time AS ask_time,
      n.exclusive_time AS time, l.expire_time`
const HELD = `offstage.namespaces n JOIN offstage.caller_leases l ON l.id = n.exclusive_lease`

const READ = {
  name: 'read_exclusive_mode',
  text: `SELECT ${HOLDER_COLUMNS} FROM ${HELD} WHERE n.name = $1 AND ${leaseLives('l')}`,
}

/** The time it was asked for first stands. */
const ASK = {
  name: 'ask_for_exclusive_mode',
  text: `
    INSERT INTO offstage.namespaces AS n (name, exclusive_lease, exclusive_owner, exclusive_ask_time) VALUES ($1, $2::uuid, $3, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET exclusive_lease = excluded.exclusive_lease, exclusive_owner = excluded.exclusive_owner,
      exclusive_ask_time = excluded.exclusive_ask_time, exclusive_time = NULL
    WHERE n.exclusive_lease IS DISTINCT FROM excluded.exclusive_lease`,
}

const GRANT = {
  name: 'grant_exclusive_mode',
  text: `
    UPDATE offstage.namespaces SET exclusive_time = clock_timestamp(), revision = revision + 1
    WHERE name = $1 AND exclusive_time IS NULL RETURNING exclusive_time AS time`,
}

const LEAVE = {
  name: 'leave_exclusive_mode',
  text: `
    UPDATE offstage.namespaces n SET exclusive_lease = NULL, exclusive_owner = NULL, exclusive_ask_time = NULL, exclusive_time = NULL,
      revision = n.revision + 1
    WHERE n.name = $1 AND n.exclusive_lease IS NOT NULL AND ($2::uuid IS NULL OR (n.exclusive_lease = $2 AND n.exclusive_owner = $3))
      AND (n.exclusive_time IS NULL OR NOT $4)`,
}

const END_LEASE = {
  name: 'end_lease_of_exclusive_mode',
  text: 'DELETE FROM offstage.caller_leases WHERE id = $1::uuid',
}

/** The job that asks and what is below it, ended ones too: their children may still run. */
const TAKE_IN = {
  name: 'take_into_exclusive_mode',
  text: `
    WITH RECURSIVE below AS (
      SELECT j.id FROM offstage.jobs j
      WHERE j.id = $3::uuid AND j.namespace = $1 AND j.owner = $4 AND j.state IN (${JobState.running}, ${JobState.waiting})
      UNION
      SELECT j.id FROM below JOIN offstage.jobs j ON j.parent_id = below.id
    )
    UPDATE offstage.jobs j SET exclusive_lease = $2::uuid FROM below WHERE j.id = below.id`,
}

/** What runs or waits is with an attachment; what waits for the job that asks cannot be waited for. */
const OTHERS = `
    FROM offstage.jobs j
    WHERE j.namespace = $1 AND j.state IN (${JobState.running}, ${JobState.waiting}) AND j.attachment_id IS NOT NULL
      AND j.exclusive_lease IS DISTINCT FROM $2::uuid
      AND (j.state = ${JobState.running} OR j.id NOT IN (
        WITH RECURSIVE above AS (
          SELECT a.parent_id FROM offstage.jobs a WHERE a.id = $3::uuid
          UNION
          SELECT a.parent_id FROM above JOIN offstage.jobs a ON a.id = above.parent_id
        ) SELECT above.parent_id FROM above WHERE above.parent_id IS NOT NULL))`

const COUNT = {
  name: 'count_running_of_others',
  text: `SELECT count(*)::int AS count ${OTHERS}`,
}
const NAMED_MAX = 10
const OLDEST = {
  name: 'oldest_running_of_others',
  text: `
    SELECT j.id, j.method, j.owner, greatest(0, extract(epoch FROM clock_timestamp() - j.start_time)::float8 * 1000) AS age_ms ${OTHERS}
    ORDER BY j.start_time, j.id LIMIT ${NAMED_MAX}`,
}
const LIST = {
  name: 'list_running_of_others',
  text: `
    SELECT j.id ${OTHERS} AND j.cancel_time IS NULL AND ($4::uuid IS NULL OR j.id > $4)
    ORDER BY j.id LIMIT $5::int`,
}

const FIND_REFUSED = {
  name: 'find_refused_in_exclusive_mode',
  text: `
    SELECT u.place::int - 1 AS place, ${HOLDER_COLUMNS}
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::boolean[]) WITH ORDINALITY AS u(namespace, parent_id, lease, automatic, place)
    JOIN ${HELD} ON n.name = u.namespace
    LEFT JOIN LATERAL (
      SELECT j.exclusive_lease, j.state IN (${JobState.running}, ${JobState.waiting}) AS runs
      FROM offstage.jobs j WHERE j.id = u.parent_id AND j.namespace = u.namespace
    ) parent ON true
    WHERE ${refusedInExclusive('u.namespace', 'coalesce(u.lease, parent.exclusive_lease)', 'parent.runs', 'u.automatic')}`,
}

interface HolderRow {
  owner: string
  lease_id: LeaseId
  ask_time: Date
  time: Date | null
  expire_time: Date
}

interface RunningRow {
  id: string
  method: string
  owner: string
  age_ms: number
}

type Asked = Pick<EnterExclusive, 'namespace' | 'leaseId' | 'jobId'>
const othersOf = ({ namespace, leaseId, jobId }: Asked) => [namespace, leaseId, jobId ?? null]

export function createExclusiveModeStore(database: Database): ExclusiveModeStore {
  return {
    enter: (asked) => database.transaction((tx) => enter(tx, asked)),
    countRunning: (asked) => countRunning(database, asked),
    async listRunning(asked, { size, after }) {
      const values = [...othersOf(asked), after ?? null, size]
      return (await database.query<{ id: string }>(LIST, values)).rows.map(({ id }) => id)
    },
    leave: (namespace, leaseId, by) =>
      database.transaction((tx) => leave(tx, { namespace, leaseId, by, onlyAsked: false })),
    giveUp: (namespace, leaseId, by) =>
      database.transaction((tx) => leave(tx, { namespace, leaseId, by, onlyAsked: true })),
    read: (namespace) => readExclusiveHolder(database, namespace),
  }
}

export async function findRefused(
  database: Queryable,
  starts: readonly StartCommand[],
): Promise<(ExclusiveHolder | undefined)[]> {
  const { rows } = await database.query<HolderRow & { place: number }>(FIND_REFUSED, [
    starts.map(({ namespace }) => namespace),
    starts.map(({ parentId }) => parentId || null),
    starts.map(({ leaseId }) => leaseId ?? null),
    starts.map(({ isAutomatic }) => isAutomatic ?? false),
  ])
  const found = new Map(rows.map((row) => [row.place, holderFromRow(row)]))
  return starts.map((_, place) => found.get(place))
}

async function enter(tx: Queryable, asked: EnterExclusive): Promise<EnteredExclusive> {
  const { namespace, leaseId, jobId, waits, by } = asked
  await lockGates(tx)
  const { rowCount: lives } = await tx.query(RENEW_LEASE, [namespace, leaseId, by.user])
  if (lives === 0) return { kind: 'no-lease' }
  const holder = await readExclusiveHolder(tx, namespace)
  if (holder !== undefined && holder.leaseId !== leaseId) return { kind: 'held', holder }
  if (holder?.time !== undefined) return { kind: 'granted', time: holder.time }
  if (jobId !== undefined) {
    const { rowCount } = await tx.query(TAKE_IN, [namespace, leaseId, jobId, by.user])
    if (rowCount === 0) return { kind: 'no-job' }
  }
  const count = await countRunning(tx, asked)
  if (count > 0 && !waits) return { kind: 'busy', running: await oldestRunning(tx, asked), count }
  await tx.query(ASK, [namespace, leaseId, by.user])
  if (holder === undefined) await beginEpoch(tx)
  if (count > 0) return { kind: 'waiting', running: await oldestRunning(tx, asked), count }
  const { rows } = await tx.query<{ time: Date }>(GRANT, [namespace])
  if (rows[0] === undefined) throw new Error(`namespace ${namespace} was granted in between`)
  if (holder !== undefined) await beginEpoch(tx)
  await recordAct(tx, { by, namespace, targets: [namespace], owners: [], outcome: 'OK' })
  return { kind: 'granted', time: rows[0].time }
}

interface Leaving extends Pick<EnterExclusive, 'namespace' | 'by'> {
  readonly leaseId: LeaseId | undefined
  readonly onlyAsked: boolean
}

async function leave(
  tx: Queryable,
  { namespace, leaseId, by, onlyAsked }: Leaving,
): Promise<boolean> {
  await lockGates(tx)
  const holder = await readExclusiveHolder(tx, namespace)
  const { rowCount } = await tx.query(LEAVE, [namespace, leaseId ?? null, by.user, onlyAsked])
  if (rowCount === 0) return false
  // Whoever had it is told by the next renewal that it is over.
  if (leaseId === undefined && holder !== undefined) await tx.query(END_LEASE, [holder.leaseId])
  await beginEpoch(tx)
  const owners = holder === undefined ? [] : [holder.owner]
  await recordAct(tx, { by, namespace, targets: [namespace], owners, outcome: 'OK' })
  return true
}

export async function readExclusiveHolder(
  database: Queryable,
  namespace: string,
): Promise<ExclusiveHolder | undefined> {
  const { rows } = await database.query<HolderRow>(READ, [namespace])
  return rows[0] && holderFromRow(rows[0])
}

async function countRunning(database: Queryable, asked: Asked): Promise<number> {
  const { rows } = await database.query<{ count: number }>(COUNT, othersOf(asked))
  return rows[0]?.count ?? 0
}

async function oldestRunning(database: Queryable, asked: Asked): Promise<RunningJobOfOthers[]> {
  const { rows } = await database.query<RunningRow>(OLDEST, othersOf(asked))
  return rows.map(({ id, method, owner, age_ms: ageMs }) => ({ id, method, owner, ageMs }))
}

function holderFromRow(row: HolderRow): ExclusiveHolder {
  return {
    owner: row.owner,
    leaseId: row.lease_id,
    askTime: row.ask_time,
    time: row.time ?? undefined,
    expireTime: row.expire_time,
  }
}
