/** An application that starts jobs by SQL over connections of its own, and an executor that has them. */
import { openPostgres, type Queryable } from '@offstage/kit/database'
import { until } from '@offstage/testkit'
import { start } from './on-postgres.ts'
import { attachExecutor, type ScriptOptions } from './scripted-executor.ts'

export interface SqlStart {
  readonly namespace?: string
  readonly method?: string
  readonly params?: unknown
  readonly options?: unknown
}

/** As an application says it; where no other is named, in the namespace `default`, of the method `test.job`, without parameters. */
export async function startBySql(
  database: Queryable,
  { namespace = '', method = 'test.job', params, options = {} }: SqlStart = {},
): Promise<string> {
  const { rows } = await database.query<{ id: string }>(
    { name: '', text: 'SELECT offstage.start_job($1, $2, $3::jsonb, $4::jsonb) AS id' },
    [
      namespace,
      method,
      params === undefined ? null : JSON.stringify(params),
      JSON.stringify(options),
    ],
  )
  return rows[0]?.id ?? ''
}

/** What an application reads of a refusal. */
export interface SqlRefusal extends Error {
  readonly code: string
  readonly detail: string
  readonly hint: string
}

/** The refusal of a start; fails where there is none. */
export async function refusalOf(start: Promise<unknown>): Promise<SqlRefusal> {
  const started = await start.then(
    (id) => id,
    (error: unknown) => error,
  )
  if (started instanceof Error) return started as SqlRefusal
  throw new Error(`it was started: ${started}`)
}

export async function beginSqlStarts({
  executor: script,
  ...options
}: Parameters<typeof start>[0] & {
  readonly executor?: ScriptOptions
} = {}) {
  await using resources = new AsyncDisposableStack()
  const it = resources.use(await start({ listens: true, ...options }))
  const executor = resources.use(await attachExecutor(it.address, script))
  const application = resources.use(
    await openPostgres({ url: it.url, poolSize: 4, transactionIdleMs: 60_000 }),
  )
  const kept = resources.move()
  const ask = async <Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
    (await application.query<Row>({ name: '', text }, values)).rows
  const waiting =
    "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
  return {
    ...it,
    executor,
    application,
    start: (job: SqlStart = {}) => startBySql(application, job),
    ask,
    /** Until a statement waits for what a transaction has recorded that is still open. */
    waitsForTransaction: () => until(async () => (await ask<{ n: number }>(waiting))[0]?.n === 1),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
