/**
 * Where jobs stand, of those that exist for somebody who asks at this time: one plan for a single table, which a join with who asks
 * for what would take twice the time of. Whose each is has to be looked at once more.
 */
import type { Queryable } from '@offstage/kit/database'
import type { AskedJob, JobStanding, WatchedJob } from '../domain/job.ts'
import { STANDING_COLUMNS, type StandingRow, standingFromRow } from './job-rows.ts'

const ASKED = `
    WHERE j.id = ANY ($1::uuid[]) AND j.namespace = ANY ($2::text[]) AND ($3::text[] IS NULL OR j.owner = ANY ($3))`

const STANDINGS = {
  name: 'read_standings',
  text: `SELECT ${STANDING_COLUMNS} FROM offstage.jobs j ${ASKED}`,
}

export async function readStandings(
  database: Queryable,
  asked: readonly AskedJob[],
): Promise<JobStanding[]> {
  const { rows } = await database.query<StandingRow>(STANDINGS, valuesOf(asked))
  return rows.map(standingFromRow)
}

/** Of one moment: what an ended job reported was recorded before its end. */
const WATCHED = {
  name: 'read_watched',
  text: `
    SELECT ${STANDING_COLUMNS}, p.revision AS progress_revision, p.percent, p.text, p.extra,
      coalesce(m.sequence, 0) AS sequence
    FROM offstage.jobs j
    LEFT JOIN LATERAL (
      SELECT p.revision, p.percent, p.text, p.extra FROM offstage.job_progress p
      WHERE p.job_id = j.id AND p.revision > 0 LIMIT 1) p ON true
    LEFT JOIN LATERAL (
      SELECT m.sequence FROM offstage.job_messages m WHERE m.job_id = j.id
      ORDER BY m.sequence DESC LIMIT 1) m ON true
    ${ASKED}`,
}

interface WatchedRow extends StandingRow {
  /** Null where it has reported no progress, and so are the three after it. */
  progress_revision: number | null
  percent: number
  text: string
  extra: Record<string, unknown> | null
  sequence: number
}

export async function readWatched(
  database: Queryable,
  asked: readonly AskedJob[],
): Promise<WatchedJob[]> {
  const { rows } = await database.query<WatchedRow>(WATCHED, valuesOf(asked))
  return rows.map((row) => {
    const { progress_revision: revision, percent, text, extra, sequence } = row
    const progress =
      revision === null ? undefined : { revision, percent, text, extra: extra ?? undefined }
    return { ...standingFromRow(row), progress, sequence }
  })
}

function valuesOf(asked: readonly AskedJob[]): unknown[] {
  const ids = new Set<string>()
  const namespaces = new Set<string>()
  const owners = new Set<string | undefined>()
  for (const { id, namespace, owner } of asked) {
    ids.add(id)
    namespaces.add(namespace)
    owners.add(owner)
  }
  return [[...ids], [...namespaces], owners.has(undefined) ? null : [...owners]]
}
