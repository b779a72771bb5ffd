import type { Database } from '@offstage/kit/database'
import type { FoundMethod } from '../domain/known-method.ts'
import { LANE_DEFAULT, laneInSql, SLOT_LANES } from '../domain/lane.ts'
import type { MethodStore } from '../ports/executors.ts'
import { announceLimits } from './announced-limits.ts'
import { listMethods } from './list-methods.ts'
import { definitionToJson, TERMS_OF, termsFromStored } from './method-definition-codec.ts'
import { readWhatCan } from './stored-shape.ts'

/** SQL for the lane of a method's definition, the default one where that cannot be read. */
export const LANE_OF_METHOD = (namespace: string, method: string) => `coalesce((
  SELECT (m.definition->>'lane')::smallint FROM offstage.methods m
  WHERE m.namespace = ${namespace} AND m.name = ${method}
    AND m.definition->'lane' IN (${SLOT_LANES.map((lane) => `'${lane}'`).join(', ')})), ${LANE_DEFAULT})`

/** SQL for the lane a job `j` runs in: that of its method, where it names none. */
export const LANE_OF_JOB = `coalesce(nullif(${laneInSql('j.lane')}, 0), ${LANE_OF_METHOD('j.namespace', 'j.method')})`

const WITHOUT_EARLIER = (stored: string) =>
  `CASE jsonb_typeof(${stored}) WHEN 'object' THEN ${stored} - 'earlierParamsSchemas' ELSE ${stored} END`

/** A rolling update has two; one that changes its mind a few more. */
const EARLIER_MAX = 3

/** SQL for what was announced before of a stored definition that gives way to another, its own schema first. */
const EARLIER = (stored: string, coming: string) => `(
  SELECT jsonb_agg(s.schema ORDER BY s.place) FROM (
    SELECT e.schema, e.place
    FROM jsonb_array_elements(jsonb_build_array(${stored}->'paramsSchema') ||
      CASE jsonb_typeof(${stored}->'earlierParamsSchemas')
        WHEN 'array' THEN ${stored}->'earlierParamsSchemas' ELSE '[]' END) WITH ORDINALITY AS e(schema, place)
    WHERE jsonb_typeof(e.schema) = 'string' AND e.schema <> ${coming}->'paramsSchema'
    ORDER BY e.place LIMIT ${EARLIER_MAX}) s)`

const ANNOUNCE = {
  name: 'announce_methods',
  text: `
    INSERT INTO offstage.methods (namespace, name, definition)
    SELECT $1, u.name, u.definition FROM unnest($2::text[], $3::jsonb[]) AS u(name, definition)
    ORDER BY u.name
    ON CONFLICT (namespace, name) DO UPDATE
      SET definition = excluded.definition || jsonb_strip_nulls(
          jsonb_build_object('earlierParamsSchemas', ${EARLIER('offstage.methods.definition', 'excluded.definition')})),
        announce_time = now()
      WHERE ${WITHOUT_EARLIER('offstage.methods.definition')} IS DISTINCT FROM excluded.definition`,
}

const READ_EARLIER = {
  name: 'read_earlier_schemas',
  text: `
    SELECT m.name, m.definition->'earlierParamsSchemas' AS earlier
    FROM unnest($2::text[]) AS u(name) JOIN offstage.methods m ON m.namespace = $1 AND m.name = u.name
    WHERE jsonb_typeof(m.definition->'earlierParamsSchemas') = 'array'`,
}

/** Whoever runs a method as it was announced before has attached before the newest word of it. */
const FORGET_EARLIER = {
  name: 'forget_earlier_schemas',
  text: `
    WITH changed AS MATERIALIZED (
      SELECT m.namespace, m.name FROM offstage.methods m
      WHERE jsonb_typeof(m.definition) = 'object' AND m.definition ? 'earlierParamsSchemas'
    ), serving AS MATERIALIZED (
      SELECT a.namespace, u.name, min(a.attach_time) AS since
      FROM offstage.attachments a JOIN offstage.executors e ON e.attachment_id = a.id
      CROSS JOIN LATERAL unnest(e.methods) AS u(name)
      WHERE a.end_round IS NULL AND NOT e.draining AND a.namespace IN (SELECT namespace FROM changed)
      GROUP BY a.namespace, u.name
    ), picked AS (
      SELECT m.namespace, m.name FROM changed JOIN offstage.methods m USING (namespace, name)
      LEFT JOIN serving USING (namespace, name)
      WHERE serving.since IS NULL OR serving.since >= m.announce_time
      ORDER BY m.namespace, m.name FOR UPDATE OF m SKIP LOCKED
    )
    UPDATE offstage.methods m SET definition = m.definition - 'earlierParamsSchemas'
    FROM picked WHERE m.namespace = picked.namespace AND m.name = picked.name`,
}

const FIND = {
  name: 'find_methods',
  text: `
    SELECT ${TERMS_OF('m.definition')} AS terms
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(namespace, name, place)
    LEFT JOIN offstage.methods m ON m.namespace = u.namespace AND m.name = u.name
    ORDER BY u.place`,
}

/** As many as a hint names, and one to tell that there are more. */
const NAMES = {
  name: 'list_method_names',
  text: 'SELECT name FROM offstage.methods WHERE namespace = $1 ORDER BY name LIMIT 11',
}

export function createMethodStore(database: Database): MethodStore {
  return {
    async announce(namespace, definitions) {
      const names = definitions.map((definition) => definition.name)
      const stored = definitions.map((definition) => definitionToJson(definition))
      await database.query(ANNOUNCE, [namespace, names, stored])
      const { rows } = await database.query<{ name: string; earlier: string[] }>(READ_EARLIER, [
        namespace,
        names,
      ])
      return {
        earlier: new Map(rows.map(({ name, earlier }) => [name, earlier])),
        limitsChanged: await announceLimits(database, namespace, names),
      }
    },
    async find(methods) {
      const { rows } = await database.query<{ terms: unknown }>(FIND, [
        methods.map(({ namespace }) => namespace),
        methods.map(({ name }) => name),
      ])
      return rows.map(({ terms }) => foundFromStored(terms))
    },
    async forgetEarlier() {
      await database.query(FORGET_EARLIER, [])
    },
    list: (namespace, page) => listMethods(database, namespace, page),
    async names(namespace) {
      const { rows } = await database.query<{ name: string }>(NAMES, [namespace])
      return rows.map(({ name }) => name)
    },
  }
}

/** One that cannot be read keeps nobody from the others. */
function foundFromStored(stored: unknown): FoundMethod | undefined {
  const faults: string[] = []
  const terms = readWhatCan(termsFromStored, stored, faults)
  const [unreadable] = faults
  return unreadable === undefined ? terms : { unreadable }
}
