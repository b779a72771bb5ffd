/** Who may start jobs by SQL, for whom, and in which namespaces (row J24). */
import { type Database, openPostgres } from '@offstage/kit/database'
import { expect, test } from 'vitest'
import { attachExecutor } from './testing/scripted-executor.ts'
import { beginSqlStarts, refusalOf, type SqlStart, startBySql } from './testing/sql-starts.ts'

const RIGHTS = `
  GRANT USAGE ON SCHEMA offstage TO starter;
  GRANT EXECUTE ON FUNCTION offstage.start_job(text, text, jsonb, jsonb), offstage.start_jobs(text, text, jsonb[], jsonb[]) TO starter`

/** With logins of these names; roles are of the whole server, so those of one test are its own. */
async function begin(...logins: readonly string[]) {
  await using resources = new AsyncDisposableStack()
  const it = resources.use(await beginSqlStarts({ executor: { slots: 0 } }))
  for (const namespace of ['acme', 'acme_2']) {
    resources.use(await attachExecutor(it.address, { slots: 0, namespace }))
  }
  const made = await it.ask("SELECT FROM pg_roles WHERE rolname = 'starter'")
  if (made.length === 0) await it.ask('CREATE ROLE starter NOLOGIN')
  await it.application.query({ name: '', text: RIGHTS })
  const databases = new Map<string, Database>()
  for (const login of logins) {
    await it.ask(`CREATE ROLE "${login}" LOGIN`)
    const url = it.url.replace('postgres@', `${encodeURIComponent(login)}@`)
    databases.set(login, resources.use(await openPostgres({ url, poolSize: 1 })))
  }
  const as = (login: string, job: SqlStart = {}) =>
    startBySql(databases.get(login) as Database, job)
  const kept = resources.move()
  return {
    ...it,
    databases,
    as,
    /** The owner of what a login starts, or the SQLSTATE of the refusal. */
    async ownerOf(login: string, owner?: string, namespace?: string): Promise<string> {
      const started = as(login, { options: { owner }, namespace })
      return started.then(
        async (id) => (await it.jobs.get(id, namespace)).owner,
        (error) => error.code,
      )
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

test('only who is granted it starts jobs, for itself in one namespace, and sees nothing of the schema', async () => {
  await using it = await begin('shop', 'stranger')
  await it.ask('GRANT starter TO shop')
  expect((await refusalOf(it.as('stranger'))).code).toBe('42501')
  expect(await it.ownerOf('shop')).toBe('sql:shop')
  expect(await it.ownerOf('shop', 'sql:shop')).toBe('sql:shop')
  expect(await it.ownerOf('shop', 'ann')).toBe('OS007')
  expect(await it.ownerOf('shop', 'sql:stranger')).toBe('OS007')
  expect(await it.ownerOf('shop', undefined, 'acme')).toBe('OS006')
  const shop = it.databases.get('shop')
  for (const text of [
    'SELECT FROM offstage.jobs',
    'SELECT FROM offstage.methods',
    'SELECT FROM offstage.sql_starters',
    "INSERT INTO offstage.sql_starters VALUES ('shop', '{*}', '{*}')",
    "SELECT offstage.start_one('acme', 'test.job', NULL, '{}')",
    "SELECT offstage.start_owner('ann', 'default')",
    "SELECT offstage.find_in_the_way('', '', '', '', NULL, '')",
    "SELECT offstage.remove_jobs('{}')",
    'SET ROLE postgres',
  ]) {
    const denied = shop?.query({ name: '', text })
    expect((await refusalOf(Promise.resolve(denied))).code, text).toBe('42501')
  }
})

test('a row says in which namespaces and for whom a login starts jobs, or the role that it is a member of', async () => {
  await using it = await begin('web', 'batch', 'lone')
  await it.ask('GRANT starter TO web, batch, lone')
  await it.ask('CREATE ROLE billing NOLOGIN')
  await it.ask('GRANT billing TO batch')
  await it.ask(`INSERT INTO offstage.sql_starters (role_name, namespaces, owners) VALUES
    ('web', '{acme,acme_*}', '{customer-*,a_b}'), ('billing', '{*}', '{}'), ('batch', '{default}', '{ann}'), ('gone', '{*}', '{*}')`)
  expect(await it.ownerOf('web')).toBe('OS006')
  expect(await it.ownerOf('web', undefined, 'acme')).toBe('sql:web')
  expect(await it.ownerOf('web', 'customer-7', 'acme_2')).toBe('customer-7')
  expect(await it.ownerOf('web', 'a_b', 'acme')).toBe('a_b')
  expect(await it.ownerOf('web', 'axb', 'acme')).toBe('OS007')
  expect(await it.ownerOf('web', 'customer', 'acme')).toBe('OS007')
  // What one row gives counts where that row counts.
  expect(await it.ownerOf('batch', 'ann')).toBe('ann')
  expect(await it.ownerOf('batch', 'ann', 'acme')).toBe('OS007')
  expect(await it.ownerOf('batch', undefined, 'acme')).toBe('sql:batch')
  expect(await it.ownerOf('lone', undefined, 'acme')).toBe('OS006')
})

test('neither another role nor objects in the way of the names change for whom a login starts jobs', async () => {
  await using it = await begin('plain', 'mighty')
  await it.ask('GRANT starter TO plain, mighty')
  await it.ask('GRANT mighty TO plain')
  await it.ask(`INSERT INTO offstage.sql_starters VALUES ('elsewhere', '{*}', '{*}')`)
  await it.ask('CREATE SCHEMA trap AUTHORIZATION plain')
  const plain = it.databases.get('plain')
  const run = (text: string) => plain?.query({ name: '', text })
  await run('SET ROLE mighty')
  expect(await it.ownerOf('plain')).toBe('sql:plain')
  await run('RESET ROLE')
  await run(`
    CREATE FUNCTION trap.pg_has_role(name, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE FUNCTION trap.has_table_privilege(name, text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    SET search_path = trap, pg_catalog`)
  expect(await it.ownerOf('plain', 'ann')).toBe('OS007')
})
