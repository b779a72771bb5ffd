/** The statements of insert-jobs.ts: how starts are recorded, many at once. */
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import { JobKind } from '../domain/job-kind.ts'
import { BIRTHS, JobState } from '../domain/job-state.ts'
import { refusedInExclusive } from './exclusive-mode-sql.ts'
import { gatesMoved } from './gates.ts'
import { keyNotInHand } from './key-in-hand.ts'
import { NO_ID_IN_HAND, requestNotInHand } from './request-in-hand.ts'
import { COMMON, RARE } from './start-columns.ts'
import { WAITS_BRIEFLY } from './waits-briefly.ts'

const NAMES = COMMON.map(({ column }) => column).join(', ')
const ARRAYS = COMMON.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ')
/** One of those after the arrays, from 1. */
const parameter = (place: number) => `$${COMMON.length + place}`
const RARE_COLUMNS = Object.values(RARE)
const arrayOf = (name: string) =>
  `$${COMMON.findIndex(({ column }) => column === name) + 1}::text[]`
/** Common columns, of which one is given otherwise. */
const columns = (from: string, name: string, sql: string) =>
  COMMON.map(({ column }) => (column === name ? sql : `${from}.${column}`)).join(', ')

const REQUEST_ID = "CASE WHEN p.id_is_request_id THEN p.id::text ELSE p.rest->>'requestId' END"

/** The attempt and its start. */
const BEGUN = `CASE WHEN u.attachment_id IS NULL THEN 0 ELSE 1 END,
      CASE WHEN u.attachment_id IS NULL THEN NULL ELSE now() END`

/**
 * The hot one: starts that give nothing but a method and parameters. It does not look for conflicts first, which would
 * cost a quarter more; where it meets one it changes nothing, and the batch goes through the careful statement. So it does
 * where jobs were to begin by gates that have changed.
 */
export const INSERT_PLAIN = {
  name: 'insert_plain_jobs',
  text: `
    INSERT INTO offstage.jobs (${NAMES}, attempt, start_time, kind, priority)
    SELECT ${COMMON.map(({ column }) => `u.${column}`).join(', ')}, ${BEGUN},
      ${JobKind.program}, 0
    FROM unnest(${ARRAYS}) AS u(${NAMES})
    WHERE ${WAITS_BRIEFLY} AND NOT ${gatesMoved(parameter(1))} AND ${NO_ID_IN_HAND}`,
}

/**
 * Which jobs of methods with limits do not begin, by their places: for want of room, or because others are queued. It locks the rows of
 * these methods, and looks once it has (claim-limited.ts).
 */
const held = (limited: number, keys: number) => `held AS MATERIALIZED (
      SELECT r.place FROM offstage.jobs_held_back(
        ${parameter(limited)}::boolean[], ${arrayOf('namespace')}, ${arrayOf('method')}, ${parameter(keys)}::text[]) AS r(place)
    )`
const BEGINS_WITHIN = 'CASE WHEN u.attachment_id IS NOT NULL THEN u.within_limits END'

/** The same for methods with limits. */
export const INSERT_PLAIN_LIMITED = {
  name: 'insert_plain_limited_jobs',
  text: `
    WITH ${held(2, 3)}
    INSERT INTO offstage.jobs (${NAMES}, attempt, start_time, kind, priority, limited, limit_key)
    SELECT ${columns('u', 'state', `CASE WHEN u.attachment_id IS NULL THEN ${BIRTHS.queued} ELSE u.state END`)},
      ${BEGUN}, ${JobKind.program}, 0, ${BEGINS_WITHIN}, u.limit_key
    FROM (
      SELECT ${columns('p', 'attachment_id', 'CASE WHEN held.place IS NULL THEN p.attachment_id END AS attachment_id')},
        p.within_limits, p.limit_key
      FROM unnest(${ARRAYS}, ${parameter(2)}::boolean[], ${parameter(3)}::text[])
        WITH ORDINALITY AS p(${NAMES}, within_limits, limit_key, place)
      LEFT JOIN held USING (place)
    ) u
    WHERE ${WAITS_BRIEFLY} AND NOT ${gatesMoved(parameter(1))} AND ${NO_ID_IN_HAND}
    RETURNING id, state`,
}

const STATE = `
      CASE WHEN u.canceled THEN ${BIRTHS.doomed}
        WHEN u.due > now() OR u.behind THEN ${BIRTHS.later}
        WHEN u.attachment_id IS NULL THEN ${BIRTHS.queued} ELSE u.state END`
/** What a job of the product itself starts is the product’s own (row J12). */
const KIND = `
      CASE WHEN u.parent_kind = ${JobKind.system} THEN u.parent_kind ELSE ${RARE.kind.sql('u.rest')} END`
/** It belongs where its parent does. */
const LEASE = `coalesce(${RARE.leaseId.sql('p.rest')}, parent.exclusive_lease)`
const OWN_SQL: Readonly<Record<string, string>> = { kind: KIND, exclusive_lease: 'u.lease' }
const attachment = (limited: boolean) => `
        CASE WHEN doom.canceled OR p.rest ? 'behind' OR gates.moved ${limited ? 'OR held.place IS NOT NULL' : ''}
          THEN NULL ELSE p.attachment_id END AS attachment_id`

/** Of attached children: whether it has not ended, and which attempt of it they are of: one that does not run has another before it. */
const PARENT_OF_ATTACHED = `,
        j.state < ${JobState.succeeded} AS is_open,
        j.attempt + CASE WHEN j.state IN (${JobState.running}, ${JobState.waiting}) THEN 0 ELSE 1 END AS coming_attempt`
/** Started by an attempt that is over by now, it is that one's. */
const ATTACHED_ATTEMPT = `least(u.parent_attempt, (u.rest->>'attachedBy')::int)`
/** Whoever is about to end the parent sees by the count that there is one more. */
const COUNT_ATTACHED = `, attached_to
    ), counted AS (
      UPDATE offstage.jobs p SET attached_count = coalesce(p.attached_count, 0) + c.count
      FROM (SELECT attached_to AS id, count(*) FROM inserted WHERE attached_to IS NOT NULL GROUP BY attached_to) c
      WHERE p.id = c.id
    )
    SELECT id, state FROM inserted`

/**
 * What most starts do not give travels in one nullable JSON column, so that a plain start costs no array element for any
 * of it. Ids, request ids and keys that exist already make a row vanish from the answer, and so do those somebody is about to take, a key
 * somebody waits for, and a parent that does not exist for who starts it.
 *
 * So do those that somebody who has the namespace exclusively keeps out.
 *
 * Jobs that were to begin by gates that have changed since are recorded as queued: claims ask the gates as they are.
 *
 * Parents are locked against being canceled meanwhile: a child of a canceled tree is recorded as canceled, as if
 * the cancel had come right after its start (guarantee 7).
 */
const insert = (name: string, limited: boolean, attached = false) => ({
  name,
  text: `
    WITH ${limited ? `${held(5, 6)}, ` : ''}parent AS (
      SELECT j.id, coalesce(j.root_id, j.id) AS root_id, j.namespace, j.owner, j.cancel_time IS NOT NULL AS canceled, j.cancel_cascade AS cascade, j.kind,
        j.exclusive_lease, j.state IN (${JobState.running}, ${JobState.waiting}) AS runs${attached ? PARENT_OF_ATTACHED : ''}
      FROM offstage.jobs j
      WHERE j.id = ANY (${parameter(2)}::uuid[]) AND (${parameter(4)}::text[] IS NULL OR j.owner = ANY (${parameter(4)}))
      ORDER BY j.id FOR ${attached ? 'NO KEY UPDATE' : 'SHARE'}
    )${attached ? ', inserted AS (' : ''}
    INSERT INTO offstage.jobs (
      ${NAMES}, attempt, start_time, ${RARE_COLUMNS.map(({ column }) => column).join(', ')},
      root_id, due_time, queue_deadline, total_deadline, behind_key, finish_time, cancel_time, cancel_outcome${limited ? ', limited' : ''}${attached ? ', attached_attempt' : ''})
    SELECT ${columns('u', 'state', STATE)}, ${BEGUN},
      ${RARE_COLUMNS.map(({ column, sql }) => OWN_SQL[column] ?? sql('u.rest')).join(', ')},
      u.root_id, u.due, now() + (u.rest->>'queueDeadlineMs')::float8 * interval '1 ms',
      now() + (u.rest->>'totalDeadlineMs')::float8 * interval '1 ms', u.behind,
      CASE WHEN u.canceled THEN now() END, CASE WHEN u.canceled THEN now() END,
      CASE WHEN u.canceled THEN ${CancelOutcome.neverStarted} ELSE ${CancelOutcome.unknown} END
      ${limited ? `, ${BEGINS_WITHIN}` : ''}${attached ? `, CASE WHEN u.rest ? 'attachedTo' THEN ${ATTACHED_ATTEMPT} END` : ''}
    FROM (
      SELECT ${columns('p', 'attachment_id', attachment(limited))},
        p.rest, ${limited ? 'p.within_limits, ' : ''}doom.canceled, parent.root_id, parent.kind AS parent_kind, ${attached ? 'parent.coming_attempt AS parent_attempt, ' : ''}${LEASE} AS lease,
        coalesce((p.rest->>'behind')::boolean, false) AS behind,
        coalesce((p.rest->>'startTime')::timestamptz,
          now() + (p.rest->>'delayMs')::float8 * interval '1 ms') AS due
      FROM unnest(${ARRAYS}, ${parameter(1)}::jsonb[]${limited ? `, ${parameter(5)}::boolean[]) WITH ORDINALITY` : ')'}
        AS p(${NAMES}, rest${limited ? ', within_limits, place' : ''})
      ${limited ? 'LEFT JOIN held USING (place)' : ''}
      LEFT JOIN parent ON parent.id = (p.rest->>'parentId')::uuid AND parent.namespace = p.namespace
        AND (parent.owner = p.owner OR (p.rest->>'admin')::boolean)
      CROSS JOIN (SELECT ${gatesMoved(parameter(3))} AS moved) gates
      CROSS JOIN LATERAL (SELECT coalesce(parent.canceled
        AND (parent.cascade OR (p.rest->'options'->>'cancelWithParent')::boolean), false) AS canceled) doom
      WHERE ${WAITS_BRIEFLY} AND (p.rest->>'parentId' IS NULL OR parent.id IS NOT NULL)${attached ? ` AND ((p.rest ? 'attachedTo') IS NOT TRUE OR parent.is_open)` : ''}
        AND (p.rest->>'key' IS NULL OR p.rest ? 'behind' OR NOT EXISTS (
          SELECT FROM offstage.jobs waiting
          WHERE waiting.namespace = p.namespace AND waiting.method = p.method
            AND waiting.key = p.rest->>'key' AND waiting.state = ${JobState.scheduled} AND waiting.behind_key)
          AND ${keyNotInHand('p.namespace', 'p.method', "p.rest->>'key'")})
        AND NOT ${refusedInExclusive('p.namespace', LEASE, 'parent.runs', "p.rest ? 'automatic'")}
        AND (${REQUEST_ID} IS NULL OR ${requestNotInHand('p.namespace', 'p.owner', REQUEST_ID)})
    ) u
    ON CONFLICT DO NOTHING
    RETURNING id, state${attached ? COUNT_ATTACHED : ''}`,
})

export const INSERT = insert('insert_jobs', false)
export const INSERT_WITHIN_LIMITS = insert('insert_limited_jobs', true)
/** Where attached children are among them: their parents count them, so they are locked against each other. */
export const INSERT_ATTACHED = insert('insert_attached_jobs', false, true)
export const INSERT_ATTACHED_WITHIN_LIMITS = insert('insert_attached_limited_jobs', true, true)
