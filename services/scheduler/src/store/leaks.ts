/** Leak tracking (row E4): what is tracked, by the database's clock, and what each reporter has found. */
import type { Database } from '@offstage/kit/database'
import type { Leak, TrackedRuns } from '../domain/leaks.ts'
import type { LeakStore } from '../ports/leaks.ts'
import { recordAct } from './acts.ts'

const KEPT = "interval '1 day'"
/** What is found just before the end of its time is told after it. */
const LATE = "interval '10 s'"

/** So that two at once do not both find room. */
const LOCK = {
  name: 'lock_leak_tracking',
  text: 'LOCK TABLE offstage.leak_tracking IN SHARE ROW EXCLUSIVE MODE',
}

const FORGET_NAMES = {
  name: 'forget_leaks_of_names',
  text: `
    DELETE FROM offstage.leak_figures f
    WHERE f.namespace = $1 AND f.name = ANY ($2::text[]) AND NOT EXISTS (
      SELECT FROM offstage.leak_tracking t
      WHERE t.namespace = f.namespace AND t.name = f.name AND t.expire_time > now())`,
}

const TRACK = {
  name: 'track_leaks',
  text: `
    INSERT INTO offstage.leak_tracking AS t (namespace, name, expire_time)
    SELECT DISTINCT $1, name, now() + $3::float8 * interval '1 ms' FROM unnest($2::text[]) AS u(name)
    ON CONFLICT (namespace, name) DO UPDATE SET expire_time = excluded.expire_time,
      tracking_id = CASE WHEN t.expire_time > now() THEN t.tracking_id ELSE excluded.tracking_id END`,
}

const COUNT = {
  name: 'count_leak_tracking',
  text: `
    SELECT count(*)::int AS count FROM offstage.leak_tracking
    WHERE namespace = $1 AND expire_time > now() AND name <> ALL ($2::text[])`,
}

const STOP = {
  name: 'stop_tracking_leaks',
  text: `
    UPDATE offstage.leak_tracking SET expire_time = now()
    WHERE namespace = $1 AND expire_time > now() AND ($2::text[] IS NULL OR name = ANY ($2))
    RETURNING name`,
}

const TRACKED = {
  name: 'read_leak_tracking',
  text: `
    SELECT namespace, name, tracking_id AS "trackingId", (extract(epoch FROM expire_time - now()) * 1000)::float8 AS "leftMs"
    FROM offstage.leak_tracking WHERE expire_time > now() ORDER BY namespace, name`,
}

const RECORD = {
  name: 'record_leaks',
  text: `
    INSERT INTO offstage.leak_figures (namespace, name, reporter, run_count, leaks)
    SELECT $1, u.name, $2, u.run_count, u.leaks
    FROM unnest($3::text[], $4::bigint[], $5::jsonb[], $6::text[]) AS u(name, run_count, leaks, tracking_id)
    WHERE EXISTS (
      SELECT FROM offstage.leak_tracking t
      WHERE t.namespace = $1 AND t.name = u.name AND t.expire_time > now() - ${LATE}
        AND u.tracking_id IN ('', t.tracking_id::text))
    ORDER BY u.name
    ON CONFLICT (namespace, name, reporter) DO UPDATE
      SET run_count = excluded.run_count, leaks = excluded.leaks, report_time = now()`,
}

const LIST = {
  name: 'list_leaks',
  text: `
    SELECT name, run_count, leaks FROM (
      SELECT name, run_count, leaks FROM offstage.leak_figures
      WHERE namespace = $1 AND report_time > now() - ${KEPT}
      ORDER BY report_time DESC LIMIT $2::int) newest
    ORDER BY name`,
}

const FORGET_FIGURES = {
  name: 'forget_leaks',
  text: `DELETE FROM offstage.leak_figures WHERE report_time < now() - ${KEPT}`,
}

const FORGET_TRACKING = {
  name: 'forget_leak_tracking',
  text: `DELETE FROM offstage.leak_tracking WHERE expire_time < now() - ${KEPT}`,
}

interface FiguresRow {
  name: string
  run_count: number
  leaks: Leak[]
}

export function createLeakStore(database: Database): LeakStore {
  return {
    track: (namespace, names, durationMs, max, by) =>
      database.transaction(async (tx) => {
        await tx.query(LOCK, [])
        const { rows } = await tx.query<{ count: number }>(COUNT, [namespace, names])
        if ((rows[0]?.count ?? 0) + new Set(names).size > max) return false
        await tx.query(FORGET_NAMES, [namespace, names])
        await tx.query(TRACK, [namespace, names, durationMs])
        await recordAct(tx, { by, namespace, targets: names, owners: [], outcome: 'OK' })
        return true
      }),
    stop: (namespace, names, by) =>
      database.transaction(async (tx) => {
        const { rows } = await tx.query<{ name: string }>(STOP, [namespace, names ?? null])
        const targets = rows.map(({ name }) => name)
        const outcome = targets.length > 0 ? 'OK' : 'UNCHANGED'
        await recordAct(tx, { by, namespace, targets, owners: [], outcome })
      }),
    async tracked() {
      const { rows } = await database.query<TrackedRuns & { namespace: string }>(TRACKED, [])
      return [...rows]
    },
    async record(namespace, reporter, figures) {
      await database.query(RECORD, [
        namespace,
        reporter,
        figures.map(({ name }) => name),
        figures.map(({ runCount }) => runCount),
        figures.map(({ leaks }) => JSON.stringify(leaks)),
        figures.map(({ trackingId }) => trackingId),
      ])
    },
    async list(namespace, limit) {
      const { rows } = await database.query<FiguresRow>(LIST, [namespace, limit])
      return rows.map(({ name, run_count, leaks }) => ({ name, runCount: run_count, leaks }))
    },
    async forget() {
      await database.query(FORGET_FIGURES, [])
      await database.query(FORGET_TRACKING, [])
    },
  }
}
