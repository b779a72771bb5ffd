import type { Database } from '@offstage/kit/database'
import type { FoundMethod } from '../domain/known-method.ts'
import { LANE_DEFAULT, SLOT_LANES } from '../domain/lane.ts'
import type { MethodStore } from '../ports.ts'
import { listMethods } from './list-methods.ts'
import { definitionToJson, TERMS_OF, termsFromStored } from './method-definition-codec.ts'
import { readWhatCan } from './stored-shape.ts'

/** SQL for the lane of a method's definition, the default one where that cannot be read. */
export const LANE_OF_METHOD = (namespace: string, method: string) => `coalesce((
  SELECT (m.definition->>'lane')::smallint FROM offstage.methods m
  WHERE m.namespace = ${namespace} AND m.name = ${method}
    AND m.definition->'lane' IN (${SLOT_LANES.map((lane) => `'${lane}'`).join(', ')})), ${LANE_DEFAULT})`

/** SQL for the lane a job `j` runs in: that of its method, where it names none. */
export const LANE_OF_JOB = `coalesce(nullif(j.lane, 0), ${LANE_OF_METHOD('j.namespace', 'j.method')})`

const ANNOUNCE = {
  name: 'announce_methods',
  text: `
    INSERT INTO offstage.methods (namespace, name, definition)
    SELECT $1, u.name, u.definition FROM unnest($2::text[], $3::jsonb[]) AS u(name, definition)
    ORDER BY u.name
    ON CONFLICT (namespace, name) DO UPDATE
      SET definition = excluded.definition, announce_time = now()
      WHERE offstage.methods.definition IS DISTINCT FROM excluded.definition`,
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
      await database.query(ANNOUNCE, [
        namespace,
        definitions.map((definition) => definition.name),
        definitions.map((definition) => definitionToJson(definition)),
      ])
    },
    async find(methods) {
      const { rows } = await database.query<{ terms: unknown }>(FIND, [
        methods.map(({ namespace }) => namespace),
        methods.map(({ name }) => name),
      ])
      return rows.map(({ terms }) => foundFromStored(terms))
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
