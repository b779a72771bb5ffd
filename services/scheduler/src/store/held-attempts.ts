/** Which attempts go on: those that are the newest of their job, on an attachment whose lease nobody has found to be over. */

import type { Queryable } from '@offstage/kit/database'
import type { AttemptRef } from '../domain/held-job.ts'
import type { SessionKey } from '../domain/ids.ts'
import { leaving } from '../domain/job-state.ts'
import type { HeldAttemptStore, JobOfAttempt } from '../ports/attempt-tokens.ts'

const HELD = `
    FROM offstage.jobs j JOIN offstage.attachments a ON a.id = j.attachment_id
    WHERE a.end_round IS NULL AND ${leaving('requeue', 'j.state')}`

const GOING_ON = {
  name: 'read_going_on',
  text: `
    SELECT EXISTS (SELECT ${HELD} AND j.id = u.id AND j.attempt = u.attempt) AS goes_on
    FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS u(id, attempt, place) ORDER BY u.place`,
}

const HOLDER = {
  name: 'read_attempt_holder',
  text: `
    SELECT j.owner, j.namespace, coalesce((j.options->>'privileged')::boolean AND (
      SELECT (m.definition->>'privileged')::boolean FROM offstage.methods m
      WHERE m.namespace = j.namespace AND m.name = j.method), false) AS privileged ${HELD}
      AND j.id = $1::uuid AND j.attempt = $2::int AND a.session_key = $3::uuid`,
}

export function createHeldAttemptStore(database: Queryable): HeldAttemptStore {
  return {
    async goOn(attempts: readonly AttemptRef[]) {
      const { rows } = await database.query<{ goes_on: boolean }>(GOING_ON, [
        attempts.map(({ jobId }) => jobId),
        attempts.map(({ attempt }) => attempt),
      ])
      return rows.map((row) => row.goes_on)
    },
    async findHeld({ jobId, attempt }: AttemptRef, sessionKey: SessionKey) {
      const { rows } = await database.query<JobOfAttempt>(HOLDER, [jobId, attempt, sessionKey])
      return rows[0]
    },
  }
}
