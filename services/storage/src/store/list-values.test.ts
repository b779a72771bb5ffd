import { expect, test } from 'vitest'
import type { Namespace, ScopeId } from '../domain/identifier.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { listValues } from './read-values.ts'

const SCOPE = 'scp_1' as ScopeId
const SCOPES = `
  INSERT INTO offstage_storage.scopes (id, namespace, owner, display_name, lease_ms, expire_time)
  VALUES ('${SCOPE}', 'default', 'ann', '', 3600000, now() + interval '1 hour')`
/** Bob has some of his own as well, in another scope, and ann some in another namespace. */
const VALUES = `
  INSERT INTO offstage_storage.temp_values
    (address, namespace, owner, scope, ttl_ms, expire_time, fixed, size, content_type)
  SELECT 'val_' || i, CASE WHEN i % 100 = 1 THEN 'elsewhere' ELSE 'default' END,
    CASE WHEN i % 100 = 0 THEN 'bob' ELSE 'ann' END, CASE WHEN i % 100 > 1 THEN '${SCOPE}' END, 3600000,
    CASE WHEN i % 100 <= 1 THEN now() + interval '1 hour' END, true, 0, ''
  FROM generate_series(1, 20000) i`

test('a listing of a scope reads none of the values that others have in it', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const run = (text: string) => database.query<{ read: number }>({ name: '', text })
  for (const text of [SCOPES, VALUES, 'VACUUM ANALYZE offstage_storage.temp_values']) {
    await run(text)
  }
  const read = async () => {
    await run('SELECT pg_stat_force_next_flush()')
    const { rows } = await run(
      `SELECT (seq_tup_read + idx_tup_fetch)::int8 AS read FROM pg_stat_user_tables WHERE relname = 'temp_values'`,
    )
    return rows[0]?.read ?? 0
  }
  const list = async (namespace: string, owner: string, scope: string) => {
    const before = await read()
    const { values } = await listValues(database, {
      ...{ namespace: namespace as Namespace, owner, scope: scope as ScopeId },
      ...{ after: undefined, limit: 10 },
    })
    return { found: values.length, read: (await read()) - before }
  }
  expect(await list('default', 'ann', SCOPE)).toMatchObject({ found: 10 })
  // Often enough for a plan that is made once for all parameters.
  for (let times = 0; times < 10; times += 1) {
    for (const [namespace, owner] of [
      ['default', 'bob'],
      ['elsewhere', 'ann'],
      ['default', 'eve'],
    ] as const) {
      const ofNone = await list(namespace, owner, 'scp_none')
      expect(await list(namespace, owner, SCOPE), `${namespace} ${owner}`).toEqual(ofNone)
      expect(ofNone.found).toBe(0)
    }
  }
})
