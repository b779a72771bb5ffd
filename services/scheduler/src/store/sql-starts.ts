/**
 * Jobs that were started by SQL (migrations/0017-sql-starts.sql) and have to be looked at before they are queued: until then they are
 * scheduled for no time, as no other job is.
 */
import type { Database } from '@offstage/kit/database'
import type { ChangedJob } from '../domain/held-job.ts'
import type { JobError } from '../domain/job.ts'
import { JobState, leaving, TRANSITIONS } from '../domain/job-state.ts'
import type { CheckedStart, UncheckedStart } from '../domain/sql-start.ts'
import type { SqlStartStore } from '../ports/sql-starts.ts'
import { columnsOf, type RowOf } from './job-columns.ts'
import { errorToJson } from './job-error-codec.ts'
import { CHANGED_COLUMNS, type ChangedRow, changedFromRow } from './job-rows.ts'
import { labelsFromStored } from './labels-codec.ts'
import { readWhatCan } from './stored-shape.ts'

const UNCHECKED = `j.state = ${JobState.scheduled} AND NOT j.behind_key AND j.due_time IS NULL`

const COLUMNS = ['id', 'namespace', 'method', 'owner', 'key', 'pool', 'params', 'labels'] as const

const READ = {
  name: 'read_unchecked_starts',
  text: `SELECT ${columnsOf(COLUMNS)} FROM offstage.jobs j WHERE ${UNCHECKED} LIMIT $1::int`,
}

/** Whichever replica is first. */
const QUEUE = {
  name: 'queue_checked_starts',
  text: `
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = ${TRANSITIONS.promote.to}, limit_key = u.limit_key,
      labels = coalesce(u.labels, j.labels), options = CASE WHEN u.misfits IS NULL THEN j.options
        ELSE coalesce(j.options, '{"v": 1}') || jsonb_build_object('misfits', u.misfits) END
    FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::jsonb[]) AS u(id, limit_key, misfits, labels)
    WHERE j.id = u.id AND ${leaving('promote', 'j.state')} AND ${UNCHECKED}
    RETURNING ${CHANGED_COLUMNS}`,
}

const FAIL = {
  name: 'fail_unchecked_starts',
  text: `
    UPDATE offstage.jobs j SET revision = j.revision + 1, state = ${TRANSITIONS.turnAway.to}, finish_time = now(), error = u.error
    FROM unnest($1::uuid[], $2::jsonb[]) AS u(id, error)
    WHERE j.id = u.id AND ${leaving('turnAway', 'j.state')} AND ${UNCHECKED}
    RETURNING ${CHANGED_COLUMNS}`,
}

export function createSqlStartStore(database: Database): SqlStartStore {
  return {
    async readUnchecked(limit) {
      const { rows } = await database.query<RowOf<typeof COLUMNS>>(READ, [limit])
      return rows.map(uncheckedFromRow)
    },
    async queue(checked: readonly CheckedStart[]): Promise<ChangedJob[]> {
      const { rows } = await database.query<ChangedRow>(QUEUE, [
        checked.map(({ id }) => id),
        checked.map(({ limitKey }) => limitKey ?? null),
        checked.map(({ misfits }) => (misfits === undefined ? null : JSON.stringify(misfits))),
        checked.map(({ labels }) => (labels === undefined ? null : JSON.stringify(labels))),
      ])
      return rows.map(changedFromRow)
    },
    async fail(failed: readonly { readonly id: string; readonly error: JobError }[]) {
      const { rows } = await database.query<ChangedRow>(FAIL, [
        failed.map(({ id }) => id),
        failed.map(({ error }) => errorToJson(error)),
      ])
      return rows.map(changedFromRow)
    },
  }
}

function uncheckedFromRow(row: RowOf<typeof COLUMNS>): UncheckedStart {
  const { id, namespace, method, owner } = row
  return {
    ...{ id, namespace, method, owner },
    key: row.key ?? '',
    pool: row.pool ?? '',
    params: row.params === null ? { type: '' } : { inline: row.params, type: '' },
    labels: readWhatCan(labelsFromStored, row.labels, []),
  }
}
