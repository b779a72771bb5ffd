/** How retention reads finished jobs, and removes them: a few pages of the table at a time, around whatever somebody else has locked. */
import type { Database } from '@offstage/kit/database'
import { RETENTION_DEFAULTS } from '../domain/retention.ts'
import type { FinishedGroup, FoundPart, RetentionStore, TablePart } from '../ports/retention.ts'
import { FINISHED, previewRetention } from './preview-retention.ts'

const IN_PART = 'j.ctid >= $1::tid AND j.ctid < $2::tid'

const PAGES = {
  name: 'pages_of_jobs',
  text: `SELECT pg_relation_size('offstage.jobs') / current_setting('block_size')::bigint AS pages`,
}

const MICROS = (time: string) => `round(date_part('epoch', ${time}) * 1e6)::bigint`

/** The rules are joined with what is found, not with each job: that takes five times as long. */
const COUNT = {
  name: 'count_finished_in',
  text: `
    SELECT f.namespace, f.kind, f.state, f.count, ${MICROS('f.oldest')} AS oldest, ${MICROS('f.newest')} AS newest,
      CASE WHEN r.namespace IS NULL THEN d.max_count ELSE r.max_count END AS count_max,
      ${MICROS('now()')} - (coalesce(r.max_age_ms, d.max_age_ms) * 1000)::bigint AS expired_before
    FROM (
      SELECT j.namespace, j.kind, j.state, count(*) AS count, min(j.finish_time) AS oldest, max(j.finish_time) AS newest
      FROM offstage.jobs j WHERE ${IN_PART} AND ${FINISHED}
      GROUP BY j.namespace, j.kind, j.state) f
    JOIN unnest($3::smallint[], $4::smallint[], $5::bigint[], $6::float8[]) AS d(kind, state, max_count, max_age_ms)
      ON d.kind = f.kind AND d.state = f.state
    LEFT JOIN offstage.retention r ON r.namespace = f.namespace AND r.kind = f.kind AND r.state = f.state`,
}

const DEFAULTS = [
  RETENTION_DEFAULTS.map(({ kind }) => kind),
  RETENTION_DEFAULTS.map(({ state }) => state),
  RETENTION_DEFAULTS.map(({ countMax }) => countMax ?? null),
  RETENTION_DEFAULTS.map(({ ageMsMax }) => ageMsMax),
]

const startOfInterval = (bits: string, atLeast: string) =>
  `greatest((t.time >> ${bits}::int) << ${bits}::int, ${atLeast}::bigint)`

const COUNT_INTERVALS = {
  name: 'count_finished_intervals',
  text: `
    SELECT start, count(*) AS count
    FROM (
      SELECT CASE WHEN t.time < $8::bigint THEN ${startOfInterval('$9', '$6')} ELSE ${startOfInterval('$7', '$8')} END AS start
      FROM (
        SELECT ${MICROS('j.finish_time')} AS time FROM offstage.jobs j
        WHERE ${IN_PART} AND j.namespace = $3 AND j.kind = $4::smallint AND j.state = $5::smallint AND ${FINISHED}) t
      WHERE t.time >= $6::bigint) i
    GROUP BY start`,
}

const REMOVE = {
  name: 'remove_finished_in',
  text: `
    SELECT offstage.remove_finished_in($1::tid, $2::tid, $3, $4::smallint, $5::smallint, $6::bigint, $7::int) AS removed`,
}

/** One replica sweeps for all. A beginning that lies ahead was noted before the clock was put back. */
const BEGIN_SWEEP = {
  name: 'begin_shared_sweep',
  text: `
    INSERT INTO offstage.shared_sweeps AS s (name, sweeper) VALUES ($1, $2::uuid)
    ON CONFLICT (name) DO UPDATE SET begin_time = now(), sweeper = excluded.sweeper
      WHERE s.sweeper = excluded.sweeper OR s.begin_time <= now() - $3::float8 * interval '1 ms' OR s.begin_time > now()`,
}

interface CountRow extends FinishedGroup {
  count: number
  oldest: number
  newest: number
  count_max: number | null
  expired_before: number
}

const rowsOf = ({ fromPage, toPage }: TablePart) => [`(${fromPage},0)`, `(${toPage},0)`]
const groupOf = ({ namespace, kind, state }: FinishedGroup) => [namespace, kind, state]

/** `listings`: for what looks at many jobs. */
export function createRetentionStore(work: Database, listings: Database): RetentionStore {
  return {
    async beginSweep(sweeper, lapsedMs) {
      return (await work.query(BEGIN_SWEEP, ['retention', sweeper, lapsedMs])).rowCount > 0
    },
    async pages() {
      return (await work.query<{ pages: number }>(PAGES)).rows[0]?.pages ?? 0
    },
    async count(part) {
      const { rows } = await work.query<CountRow>(COUNT, [...rowsOf(part), ...DEFAULTS])
      return rows.map(
        ({ count_max, expired_before, ...row }): FoundPart => ({
          ...row,
          countMax: count_max ?? undefined,
          expiredBefore: expired_before,
        }),
      )
    },
    async countIntervals(part, group, { before, bits, fineTo, fineBits }) {
      const values = [...rowsOf(part), ...groupOf(group), before, bits, fineTo, fineBits]
      const { rows } = await work.query<{ start: number; count: number }>(COUNT_INTERVALS, values)
      return new Map(rows.map(({ start, count }) => [start, count]))
    },
    async remove(part, group, before, limit) {
      const values = [...rowsOf(part), ...groupOf(group), before, limit]
      return (await work.query<{ removed: number }>(REMOVE, values)).rows[0]?.removed ?? 0
    },
    preview: (namespace, rules, limitMs) => previewRetention(listings, namespace, rules, limitMs),
  }
}
