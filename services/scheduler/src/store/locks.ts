import type { Database } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { LockRequest } from '../domain/lock.ts'
import type { ListedLock, LockRelease, LockStore } from '../ports/locks.ts'
import { acquireLocks, LIMIT_TURNS, TAKE_WAITS_TURN, WITHDRAW } from './acquire-locks.ts'
import { recordAct } from './acts.ts'
import { leaseLives } from './caller-leases.ts'
import { findCircle } from './lock-circles.ts'
import { isHeld, isWaiting, LOCK_COLUMNS, type LockRow, lockFromRow } from './lock-rows.ts'
import { AWAITED_BY_TRANSACTION } from './transaction-waits.ts'

const FIND_ATTEMPT = {
  name: 'find_attempt_to_lock',
  text: `
    SELECT j.owner, CASE WHEN j.state IN (${JobState.running}, ${JobState.waiting}) THEN j.attempt END AS attempt
    FROM offstage.jobs j WHERE j.id = $2::uuid AND j.namespace = $1`,
}

const FIND_LEASE = {
  name: 'find_lease_to_lock',
  text: `
    SELECT c.owner FROM offstage.caller_leases c
    WHERE c.id = $2::uuid AND c.namespace = $1 AND ${leaseLives('c')}`,
}

const KEEP_PLACES = {
  name: 'keep_lock_places',
  text: `
    UPDATE offstage.lock_waits SET seen_time = clock_timestamp()
    WHERE (namespace, name, place) IN (
      SELECT w.namespace, w.name, w.place FROM offstage.lock_waits w WHERE w.place = ANY ($1::bigint[])
      ORDER BY w.place, w.name FOR NO KEY UPDATE SKIP LOCKED)`,
}

/** Of each name whether it is held, and the first in line: all that a wait has to be compared with. */
const HEADS = `
  SELECT n.namespace, n.name,
    EXISTS (SELECT FROM offstage.locks l
      WHERE l.namespace = n.namespace AND l.name = n.name AND ${isHeld('l')}) AS is_held,
    EXISTS (SELECT FROM offstage.locks l
      WHERE l.namespace = n.namespace AND l.name = n.name AND l.exclusive AND ${isHeld('l')}) AS is_held_exclusively,
    (SELECT o.place FROM offstage.lock_waits o
      WHERE o.namespace = n.namespace AND o.name = n.name AND ${isWaiting('o')}
      ORDER BY o.place LIMIT 1) AS first_place,
    (SELECT o.place FROM offstage.lock_waits o
      WHERE o.namespace = n.namespace AND o.name = n.name AND o.exclusive AND ${isWaiting('o')}
      ORDER BY o.place LIMIT 1) AS first_exclusive_place
  FROM (SELECT DISTINCT w.namespace, w.name FROM offstage.lock_waits w WHERE w.place = ANY ($1::bigint[])) n`

const IN_THE_WAY = `
  CASE WHEN w.exclusive THEN h.is_held OR coalesce(h.first_place < w.place, false)
    ELSE h.is_held_exclusively OR coalesce(h.first_exclusive_place < w.place, false) END`

/** Somebody may wait for what its holder has: for its locks, its key, its place in a limit, or for it as a child. */
const AWAITED = `
  EXISTS (SELECT FROM offstage.locks l JOIN offstage.lock_waits o ON o.namespace = l.namespace AND o.name = l.name
    WHERE (l.job_id = w.job_id OR l.lease_id = w.lease_id))
  OR EXISTS (SELECT FROM offstage.jobs j WHERE j.id = w.job_id AND j.limited)
  OR EXISTS (SELECT FROM offstage.jobs j JOIN offstage.jobs p ON p.id = j.parent_id AND p.state = ${JobState.waiting}
    WHERE j.id = w.job_id)
  OR EXISTS (SELECT FROM offstage.jobs j JOIN offstage.jobs b ON b.namespace = j.namespace AND b.method = j.method AND b.key = j.key
    AND b.state = ${JobState.scheduled} AND b.behind_key WHERE j.id = w.job_id AND j.key IS NOT NULL)`

const READ_WAITS = {
  name: 'read_lock_waits',
  text: `
    WITH head AS MATERIALIZED (${HEADS})
    SELECT w.place, bool_or(NOT ${isHeld('w')}) OR NOT bool_or(${IN_THE_WAY}) AS is_ready
    FROM offstage.lock_waits w JOIN head h ON h.namespace = w.namespace AND h.name = w.name
    WHERE w.place = ANY ($1::bigint[])
    GROUP BY w.place ORDER BY w.place`,
}

const READ_AWAITED = {
  name: 'read_awaited_lock_waits',
  text: `
    WITH t AS MATERIALIZED (SELECT * FROM offstage.locks_of_transactions())
    SELECT DISTINCT w.place FROM offstage.lock_waits w
    WHERE w.place = ANY ($1::bigint[]) AND (${AWAITED} OR ${AWAITED_BY_TRANSACTION})
    ORDER BY w.place`,
}

const RELEASE = {
  name: 'release_locks',
  text: `
    DELETE FROM offstage.locks l
    WHERE l.namespace = $1 AND l.name = ANY ($2::text[]) AND ($3::text IS NULL OR l.owner = $3)
      AND ($4::uuid IS NULL OR (l.job_id = $4 AND l.attempt = $5::int)) AND ($6::bigint IS NULL OR l.token = $6)
    RETURNING l.name, l.owner, ${isHeld('l')} AS was_held`,
}

const list = (which: string) => `
  SELECT ${LOCK_COLUMNS}, (
    SELECT count(*)::int FROM offstage.lock_waits w
    WHERE w.namespace = l.namespace AND w.name = l.name AND ${isWaiting('w')}) AS waiting
  FROM offstage.locks l
  WHERE l.namespace = $1 AND ${which} AND (l.name, l.token) > ($3, $4::bigint) AND ${isHeld('l')}
  ORDER BY l.name, l.token LIMIT $5::int`
const LIST = { name: 'list_locks', text: list('$2::text IS NULL') }
const LIST_OF_OWNER = { name: 'list_locks_of_owner', text: list('l.owner = $2') }

const FORGET_LOCKS = {
  name: 'forget_void_locks',
  text: `
    DELETE FROM offstage.locks WHERE (namespace, name, token) IN (
      SELECT l.namespace, l.name, l.token FROM offstage.locks l WHERE NOT ${isHeld('l')}
      LIMIT $1::int FOR UPDATE OF l SKIP LOCKED)`,
}

/** One that nothing was heard of for so long is not coming back: no call holds for longer. */
const FORGET_WAITS = {
  name: 'forget_void_lock_waits',
  text: `
    DELETE FROM offstage.lock_waits WHERE (namespace, name, place) IN (
      SELECT w.namespace, w.name, w.place FROM offstage.lock_waits w
      WHERE w.seen_time < clock_timestamp() - interval '2 minutes' OR NOT ${isHeld('w')}
      LIMIT $1::int FOR UPDATE OF w SKIP LOCKED)`,
}

interface WaitRow {
  place: number
  is_ready: boolean
}

export function createLockStore(database: Database): LockStore {
  return {
    async findAttempt(namespace, jobId) {
      const values = [namespace, jobId]
      type Row = { owner: string; attempt: number | null }
      const { rows } = await database.query<Row>(FIND_ATTEMPT, values)
      return rows[0] && { owner: rows[0].owner, attempt: rows[0].attempt ?? undefined }
    },
    async findLeaseOwner(namespace, leaseId) {
      const { rows } = await database.query<{ owner: string }>(FIND_LEASE, [namespace, leaseId])
      return rows[0]?.owner
    },
    acquire: (request, wait) => acquireLocks(database, request, wait),
    async withdraw(places) {
      await database.query(WITHDRAW, [places])
    },
    async keepPlaces(places) {
      await database.query(KEEP_PLACES, [places])
    },
    async readWaits(places) {
      const { rows } = await database.query<WaitRow>(READ_WAITS, [places])
      return rows.map(({ place, is_ready }) => ({ place, isReady: is_ready }))
    },
    async readAwaited(places) {
      return await database.transaction(async (tx) => {
        await tx.query(LIMIT_TURNS)
        const { rows } = await tx.query<WaitRow>(READ_AWAITED, [places])
        return rows.map(({ place }) => place)
      })
    },
    breakCircle: (request, place) => breakCircle(database, request, place),
    release: (which, by) =>
      database.transaction(async (tx) => {
        type Row = { name: string; owner: string; was_held: boolean }
        const { rows } = await tx.query<Row>(RELEASE, releaseValues(which))
        const foreign = rows.filter(({ owner, was_held }) => was_held && owner !== by.user)
        if (foreign.length > 0) {
          const targets = foreign.map(({ name }) => name)
          const owners = [...new Set(foreign.map(({ owner }) => owner))]
          const { namespace } = which
          await recordAct(tx, { by, namespace, targets, owners, outcome: 'OK' })
        }
        return rows.filter(({ was_held }) => was_held).length
      }),
    async giveBack(namespace, names, fencingToken) {
      await database.query(RELEASE, [namespace, names, null, null, null, fencingToken])
    },
    async list(namespace, owner, { size, after }) {
      const statement = owner === undefined ? LIST : LIST_OF_OWNER
      const from = [after?.name ?? '', after?.fencingToken ?? 0]
      const values = [namespace, owner ?? null, ...from, size]
      const { rows } = await database.query<LockRow & { waiting: number }>(statement, values)
      return rows.map((row): ListedLock => ({ ...lockFromRow(row), waiting: row.waiting }))
    },
    async forgetVoid(limit) {
      const locks = await database.query(FORGET_LOCKS, [limit])
      const waits = await database.query(FORGET_WAITS, [limit])
      return Math.max(locks.rowCount, waits.rowCount)
    },
  }
}

function releaseValues({ namespace, names, owner, attempt, fencingToken }: LockRelease): unknown[] {
  const of = [attempt?.jobId ?? null, attempt?.attempt ?? null]
  return [namespace, names, owner ?? null, ...of, fencingToken ?? null]
}

function breakCircle(database: Database, request: LockRequest, place: number) {
  return database.transaction(async (tx) => {
    // Of those in a circle the first to see it is out, and the others see none.
    await tx.query(LIMIT_TURNS)
    await tx.query(TAKE_WAITS_TURN)
    const circle = await findCircle(tx, request, place, true)
    if (circle !== undefined) await tx.query(WITHDRAW, [[place]])
    return circle
  })
}
