/** What retention goes by, and what it removes: a bounded part at a time, around whatever somebody else has locked. */
import type { Database } from '@offstage/kit/database'
import { JobState } from '../domain/job-state.ts'
import type { ExpiredJobs, FinishedGroup, RetentionStore } from '../ports.ts'
import { withinTime } from './job-filter.ts'

/** What is in the index `jobs_finished`. */
const FINISHED = `j.state >= ${JobState.succeeded} AND j.pin_time IS NULL`
const OF_GROUP = `j.namespace = $1 AND j.kind = $2::smallint AND j.state = $3::smallint AND ${FINISHED}`

/** Down the index from one group to the next, past all of their jobs. */
const GROUPS = {
  name: 'finished_groups',
  text: `
    WITH RECURSIVE groups AS (
      (SELECT j.namespace, j.kind, j.state FROM offstage.jobs j WHERE ${FINISHED}
       ORDER BY j.namespace, j.kind, j.state LIMIT 1)
      UNION ALL
      SELECT next.* FROM groups g CROSS JOIN LATERAL (
        SELECT j.namespace, j.kind, j.state FROM offstage.jobs j
        WHERE ${FINISHED} AND (j.namespace, j.kind, j.state) > (g.namespace, g.kind, g.state)
        ORDER BY j.namespace, j.kind, j.state LIMIT 1) next
    )
    SELECT * FROM groups`,
}

const COUNT = {
  name: 'count_finished',
  text: `SELECT count(*) AS count FROM offstage.jobs j WHERE ${OF_GROUP}`,
}

const REMOVE = {
  name: 'remove_finished',
  text: `
    SELECT offstage.remove_finished($1, $2::smallint, $3::smallint,
      coalesce(now() - $5::float8 * interval '1 ms', 'infinity'), $4::int) AS removed`,
}

const PREVIEW = {
  name: '',
  text: `
    SELECT r.kind, r.state, found.count AS kept_count,
      greatest(found.older, found.count - r.max_count, 0) AS expired_count, found.oldest
    FROM unnest($2::smallint[], $3::smallint[], $4::bigint[], $5::float8[]) AS r(kind, state, max_count, max_age_ms)
    CROSS JOIN LATERAL (
      SELECT count(*) AS count, min(j.finish_time) AS oldest,
        count(*) FILTER (WHERE j.finish_time < now() - r.max_age_ms * interval '1 ms') AS older
      FROM offstage.jobs j
      WHERE j.namespace = $1 AND j.kind = r.kind AND j.state = r.state AND ${FINISHED}) found
    WHERE found.count > 0
    ORDER BY r.kind, r.state`,
}

/** One replica sweeps for all. A beginning that lies ahead was noted before the clock was put back. */
const BEGIN_SWEEP = {
  name: 'begin_shared_sweep',
  text: `
    INSERT INTO offstage.shared_sweeps AS s (name) VALUES ($1)
    ON CONFLICT (name) DO UPDATE SET begin_time = now()
      WHERE s.begin_time <= now() - $2::float8 * interval '1 ms' OR s.begin_time > now()`,
}

interface PreviewRow {
  kind: ExpiredJobs['kind']
  state: ExpiredJobs['state']
  kept_count: number
  expired_count: number
  oldest: Date
}

/** `listings`: for what looks at many jobs. */
export function createRetentionStore(work: Database, listings: Database): RetentionStore {
  const remove = async (group: FinishedGroup, limit: number, olderMs?: number) => {
    const { namespace, kind, state } = group
    const values = [namespace, kind, state, limit, olderMs ?? null]
    return (await work.query<{ removed: number }>(REMOVE, values)).rows[0]?.removed ?? 0
  }
  return {
    async beginSweep(everyMs) {
      return (await work.query(BEGIN_SWEEP, ['retention', everyMs])).rowCount > 0
    },
    async groups() {
      return (await work.query<FinishedGroup>(GROUPS, [])).rows
    },
    async count({ namespace, kind, state }) {
      const { rows } = await listings.query<{ count: number }>(COUNT, [namespace, kind, state])
      return rows[0]?.count ?? 0
    },
    removeOldest: (group, limit) => remove(group, limit),
    removeOlder: (group, ageMs, limit) => remove(group, limit, ageMs),
    preview: (namespace, rules, limitMs) =>
      withinTime(listings, limitMs, async (tx) => {
        const { rows } = await tx.query<PreviewRow>(PREVIEW, [
          namespace,
          rules.map(({ kind }) => kind),
          rules.map(({ state }) => state),
          rules.map(({ countMax }) => countMax ?? null),
          rules.map(({ ageMsMax }) => ageMsMax),
        ])
        return rows.map(({ kind, state, kept_count, expired_count, oldest }) => ({
          kind,
          state,
          keptCount: kept_count,
          expiredCount: expired_count,
          oldest,
        }))
      }),
  }
}
