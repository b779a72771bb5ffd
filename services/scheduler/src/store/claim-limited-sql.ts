/** The statements of claim-limited.ts, to be run by who holds the method: $1 its namespace, $2 its name, $3 to $5 the queues, $6 a slot each. */
import { JobState, TRANSITIONS } from '../domain/job-state.ts'
import { CLAIMED_COLUMNS } from './job-rows.ts'

const OF_METHOD = 'j.namespace = $1 AND j.method = $2'
const QUEUED = `j.state = ${JobState.queued} AND ${OF_METHOD}`
const HELD = `${OF_METHOD} AND j.limited AND j.state IN (${JobState.running}, ${JobState.waiting})`
const IN_ORDER = 'j.priority DESC, j.create_time, j.id'
const FITS = `(q.schema IS NULL OR j.options->'misfits' IS NULL OR NOT j.options->'misfits' ? q.schema)`
const QUEUES = 'unnest($3::smallint[], $4::text[], $5::text[]) AS q(lane, pool, schema)'
const SLOTS = 'cardinality($6::uuid[])'

/** SQL, where there is a `moment`: the tokens of a bucket by then; null where there is no rate. A clock that was put back adds none. */
export const AVAILABLE = (limit: string, tokens: string) => `
  CASE WHEN ${limit}.rate IS NOT NULL THEN least(${limit}.burst, coalesce(${tokens}.tokens
    + greatest(extract(epoch FROM moment.time - ${tokens}.refill_time)::float8, 0) * 1000 * ${limit}.rate / ${limit}.rate_period_ms,
    ${limit}.burst)) END`

/** SQL: room within limits, of which each may be null; never below zero. */
const room = (concurrencyMax: string, held: string, tokens: string) =>
  `greatest(least(${SLOTS}, ${concurrencyMax} - CASE WHEN ${concurrencyMax} IS NOT NULL THEN (${held}) END, floor(${tokens})::int), 0)`

/** What the method as a whole has room for. */
const WHOLE = `
    moment AS MATERIALIZED (SELECT clock_timestamp() AS time),
    whole AS MATERIALIZED (
      SELECT ${room('l.max_concurrency', `SELECT count(*)::int FROM offstage.jobs j WHERE ${HELD}`, 'bucket.available')} AS room,
        bucket.available, l.rate, l.rate_period_ms
      FROM (SELECT) one
      LEFT JOIN offstage.method_limits l ON l.namespace = $1 AND l.method = $2 AND NOT l.keyed
      LEFT JOIN offstage.rate_tokens t ON t.namespace = $1 AND t.method = $2 AND NOT t.keyed
      CROSS JOIN moment
      CROSS JOIN LATERAL (SELECT ${AVAILABLE('l', 't')} AS available) bucket
    )`

/** Takes the candidates in their places, and pays for them. IS TRUE keeps the planner away from the index of queues, which it would read for each. */
const take = ({ keyedSpent = '', keyedWaits = '', lastKey = 'NULL::text' }) => `
    picked AS (
      SELECT j.id, candidate.place FROM candidate JOIN offstage.jobs j USING (id)
      WHERE (j.state = ${JobState.queued}) IS TRUE
      FOR UPDATE OF j SKIP LOCKED
    ), numbered AS (
      SELECT id, row_number() OVER (ORDER BY place) AS place FROM picked
    ), claimed AS (
      UPDATE offstage.jobs j
      SET state = ${TRANSITIONS.claim.to}, attempt = j.attempt + 1, revision = j.revision + 1,
        attachment_id = ($6::uuid[])[numbered.place], start_time = now(), limited = true
      FROM numbered
      WHERE j.id = numbered.id
      RETURNING ${CLAIMED_COLUMNS}, j.limit_key
    ), paid AS (
      SELECT whole.available - (SELECT count(*) FROM claimed) AS left, whole.rate, whole.rate_period_ms
      FROM whole WHERE whole.rate IS NOT NULL
    ), spent AS (
      INSERT INTO offstage.rate_tokens AS r (namespace, method, keyed, limit_key, tokens, refill_time)
      SELECT $1, $2, false, '', paid.left, moment.time FROM paid CROSS JOIN moment ${keyedSpent}
      ON CONFLICT (namespace, method, keyed, limit_key) DO UPDATE
        SET tokens = excluded.tokens, refill_time = excluded.refill_time
    )
    SELECT info.again_ms, info.last_key, claimed.*
    FROM (
      SELECT ${lastKey} AS last_key, (
        SELECT min(wait.ms) FROM (
          SELECT (1 - paid.left) * paid.rate_period_ms / paid.rate AS ms FROM paid WHERE paid.left < 1 ${keyedWaits}
        ) wait
        WHERE CASE WHEN EXISTS (
            SELECT FROM offstage.method_limits l WHERE l.namespace = $1 AND l.method = $2 AND l.rate IS NOT NULL)
          THEN EXISTS (SELECT FROM offstage.jobs j WHERE ${QUEUED} AND j.id NOT IN (SELECT id FROM claimed)) END
      ) AS again_ms
    ) info LEFT JOIN claimed ON true`

/** Best first over all queues. Those of a method with limits are not set apart by pool: what is of others is passed over. */
export const CLAIM_WHOLE = {
  name: 'claim_limited_jobs',
  text: `
    WITH ${WHOLE}, candidate AS (
      SELECT head.id, row_number() OVER (ORDER BY head.priority DESC, head.create_time, head.id) AS place
      FROM ${QUEUES} CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.create_time FROM offstage.jobs j
        WHERE ${QUEUED} AND j.lane = q.lane AND q.pool IS NOT DISTINCT FROM j.pool AND ${FITS}
        ORDER BY ${IN_ORDER} LIMIT (SELECT room FROM whole)
      ) head
      ORDER BY place LIMIT (SELECT room FROM whole)
    ), ${take({})}`,
}

/** The values of the key that have queued jobs, from the first one `above` and `upTo`; each costs one look into the index. */
const values = (name: string, above: string, upTo = '') => `
    ${name} AS (
      (SELECT j.limit_key FROM offstage.jobs j WHERE ${QUEUED} AND j.limit_key ${above} ${upTo} ORDER BY j.limit_key LIMIT 1)
      UNION ALL
      SELECT (SELECT j.limit_key FROM offstage.jobs j
        WHERE ${QUEUED} AND j.limit_key > ${name}.limit_key ${upTo} ORDER BY j.limit_key LIMIT 1)
      FROM ${name} WHERE ${name}.limit_key IS NOT NULL
    )`

const OF_KEY = `${QUEUED} AND j.limit_key = value.limit_key AND j.lane = q.lane
          AND q.pool IS NOT DISTINCT FROM j.pool AND ${FITS}`

/**
 * The values of the key take turns, from the one after $7 on: as many as there is room for, passing over those that have none
 * themselves. Within a value best first. Nobody's jobs are looked at beyond what may be taken, however many there are.
 */
export const CLAIM_KEYED = {
  name: 'claim_keyed_jobs',
  text: `
    WITH RECURSIVE ${WHOLE}, ${values('later', '> $7::text')}, ${values('earlier', ">= ''", 'AND j.limit_key <= $7::text')},
    turn AS MATERIALIZED (
      SELECT value.limit_key, bucket.available, room.room, row_number() OVER () AS place
      FROM (SELECT limit_key FROM later UNION ALL SELECT limit_key FROM earlier) value
      CROSS JOIN moment
      LEFT JOIN offstage.method_limits l ON l.namespace = $1 AND l.method = $2 AND l.keyed
      LEFT JOIN offstage.rate_tokens t ON t.namespace = $1 AND t.method = $2 AND t.keyed AND t.limit_key = value.limit_key
      CROSS JOIN LATERAL (SELECT ${AVAILABLE('l', 't')} AS available) bucket
      CROSS JOIN LATERAL (
        SELECT ${room(
          'l.max_concurrency',
          `SELECT count(*)::int FROM offstage.jobs j WHERE ${HELD} AND j.limit_key = value.limit_key`,
          'bucket.available',
        )} AS room) room
      WHERE value.limit_key IS NOT NULL AND room.room > 0
        AND EXISTS (SELECT FROM ${QUEUES} JOIN offstage.jobs j ON ${OF_KEY})
      LIMIT (SELECT room FROM whole)
    ), share AS MATERIALIZED (
      SELECT ceil((SELECT room FROM whole)::float8 / greatest(count(*), 1))::int AS jobs, max(place) AS last FROM turn
    ), candidate AS (
      SELECT head.id, row_number() OVER (ORDER BY head.place, value.place) AS place
      FROM turn value CROSS JOIN LATERAL (
        SELECT first.id, row_number() OVER (ORDER BY first.priority DESC, first.create_time, first.id) AS place
        FROM (
          SELECT j.id, j.priority, j.create_time
          FROM ${QUEUES} CROSS JOIN LATERAL (
            SELECT j.id, j.priority, j.create_time FROM offstage.jobs j WHERE ${OF_KEY}
            ORDER BY ${IN_ORDER} LIMIT least(value.room, (SELECT jobs FROM share))
          ) j
        ) first
        ORDER BY place LIMIT least(value.room, (SELECT jobs FROM share))
      ) head
      ORDER BY place LIMIT (SELECT room FROM whole)
    ), ${take({
      keyedSpent: `
      UNION ALL
      SELECT $1, $2, true, value.limit_key, value.available - count(*), moment.time
      FROM claimed JOIN turn value USING (limit_key) CROSS JOIN moment
      WHERE value.available IS NOT NULL
      GROUP BY value.limit_key, value.available, moment.time`,
      keyedWaits: `
          UNION ALL
          SELECT l.rate_period_ms / l.rate FROM offstage.method_limits l
          WHERE l.namespace = $1 AND l.method = $2 AND l.keyed AND l.rate IS NOT NULL`,
      lastKey: '(SELECT limit_key FROM turn WHERE place = (SELECT last FROM share))',
    })}`,
}
