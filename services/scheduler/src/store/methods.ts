import type { Database } from '@offstage/kit/database'
import type { MethodDefinition } from '../domain/method-definition.ts'
import type { MethodStore } from '../ports.ts'

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

const READ = {
  name: 'read_methods',
  text: 'SELECT definition FROM offstage.methods WHERE namespace = $1 ORDER BY name',
}

export function createMethodStore(database: Database): MethodStore {
  return {
    async announce(namespace, definitions) {
      await database.query(ANNOUNCE, [
        namespace,
        definitions.map((definition) => definition.name),
        definitions.map((definition) => JSON.stringify(definition)),
      ])
    },
    async read(namespace) {
      const { rows } = await database.query<{ definition: MethodDefinition }>(READ, [namespace])
      return rows.map((row) => row.definition)
    },
  }
}
