/**
 * A bare batched SQL loop: insert, claim and complete 500 jobs a statement on one connection, nothing else. What a job
 * queue in PostgreSQL costs at the least.
 */
import { randomUUID } from 'node:crypto'
import { openPostgres } from '@offstage/kit/database'

const SIZE = 500

export async function openSqlLoop(
  url: string,
): Promise<{ run(): Promise<number> } & AsyncDisposable> {
  const database = await openPostgres({ url, poolSize: 1 })
  await database.query({
    name: '',
    text: `
      CREATE TABLE bare_jobs (id uuid PRIMARY KEY, state smallint NOT NULL, method text NOT NULL,
        params bytea, result bytea, attempt int NOT NULL DEFAULT 0, worker uuid,
        create_time timestamptz NOT NULL DEFAULT now(), finish_time timestamptz);
      CREATE INDEX bare_queued ON bare_jobs (method, id) WHERE state = 2;`,
  })
  const worker = randomUUID()
  const statement = (name: string, text: string) => ({ name, text })
  const insert = statement(
    'bare_insert',
    `INSERT INTO bare_jobs (id, state, method, params)
     SELECT u.id, 2, u.method, u.params FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS u(id, method, params)`,
  )
  const claim = statement(
    'bare_claim',
    `UPDATE bare_jobs j SET state = 3, attempt = attempt + 1, worker = $1
     FROM (SELECT id FROM bare_jobs WHERE state = 2 AND method = $2 ORDER BY id LIMIT $3::int
       FOR UPDATE SKIP LOCKED) p
     WHERE j.id = p.id RETURNING j.id, j.params`,
  )
  const complete = statement(
    'bare_complete',
    `UPDATE bare_jobs j SET state = 5, result = u.result, finish_time = now()
     FROM unnest($1::uuid[], $2::bytea[]) AS u(id, result)
     WHERE j.id = u.id AND j.worker = $3 AND j.state = 3 RETURNING j.id`,
  )
  const methods = new Array<string>(SIZE).fill('bench.noop')
  const params = new Array<Buffer>(SIZE).fill(Buffer.from('{}'))
  const results = new Array<null>(SIZE).fill(null)
  return {
    async run() {
      const ids = Array.from({ length: SIZE }, () => randomUUID())
      await database.query(insert, [ids, methods, params])
      const claimed = await database.query<{ id: string }>(claim, [worker, 'bench.noop', SIZE])
      const done = claimed.rows.map((row) => row.id)
      const { rowCount } = await database.query(complete, [done, results, worker])
      if (rowCount !== SIZE) throw new Error(`completed ${rowCount} of ${SIZE}`)
      return SIZE
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
