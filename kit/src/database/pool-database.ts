/**
 * A Database over a `pg` pool; both adapters are this, they differ in what is at the other end.
 *
 * 1. A connection goes back to the pool unless it is in doubt: lost, or not rolled back. A refused
 *    statement does not cost the connection (pool.query would close it).
 * 2. Within a transaction one statement is sent at a time, whatever the caller awaits.
 * 3. Closing waits for work under way, that which waits for a connection included; the pool alone
 *    would leave the latter unanswered.
 */
import type pg from 'pg'
import type { Database, Queryable, QueryResult, Statement } from './database.ts'
import { isConnectionError } from './errors.ts'
import { encodeParameters } from './parameters.ts'

/** A script (a migration) is limited by the server's statement_timeout alone. */
const noQueryTimeoutMs = 2 ** 31 - 1

/** Takes the pool over; `close` releases what is behind it once the pool has ended. */
export function createPoolDatabase(init: {
  kind: Database['kind']
  pool: pg.Pool
  close?: () => Promise<void>
}): Database {
  const { kind, pool } = init
  const running = new Set<Promise<unknown>>()
  const reachable = createReachable()
  let closed: Promise<void> | undefined

  function track<T>(work: () => Promise<T>): Promise<T> {
    if (closed !== undefined) return Promise.reject(new Error('the database has been closed'))
    const result = work()
    running.add(result)
    const done = () => running.delete(result)
    result.then(done, done)
    result.then(reachable.succeeded, reachable.failed)
    return result
  }

  async function close(): Promise<void> {
    await Promise.allSettled(running)
    await pool.end()
    await init.close?.()
  }

  return {
    kind,
    query: (statement, values) =>
      track(() => withClient(pool, (client) => send(client, statement, values))),
    transaction: (work) => track(() => withClient(pool, (client) => transact(client, work))),
    session: (work) => track(() => onOwnClient(pool, work)),
    onReachableChange: reachable.listen,
    stats: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    [Symbol.asyncDispose]: () => (closed ??= close()),
  }
}

/** What the outcomes of statements tell of the way to the database. */
function createReachable() {
  const listeners = new Set<(reachable: boolean) => void>()
  let current = true
  const set = (next: boolean) => {
    if (next === current) return
    current = next
    for (const listener of [...listeners]) listener(next)
  }
  return {
    succeeded: () => set(true),
    failed: (error: unknown) => set(!isConnectionError(error)),
    listen(listener: (reachable: boolean) => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

async function withClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>) {
  const client = await pool.connect()
  let inDoubt = false
  try {
    return await work(client)
  } catch (error) {
    inDoubt = isConnectionError(error) || error instanceof RollbackFailure // invariant 1
    throw error instanceof RollbackFailure ? error.cause : error
  } finally {
    client.release(inDoubt)
  }
}

async function onOwnClient<T>(pool: pg.Pool, work: (session: Queryable) => Promise<T>) {
  const client = await pool.connect()
  const session = oneByOne(client)
  try {
    return await work(session.tx)
  } finally {
    await session.end()
    // With PGlite the next connection is to the same session. One that is lost needs none of it.
    await client.query('DISCARD ALL').catch(() => {})
    client.release(true)
  }
}

/** Carries the error that made us roll back, when the rollback has failed too. */
class RollbackFailure extends Error {}

async function transact<T>(client: pg.PoolClient, work: (tx: Queryable) => Promise<T>) {
  await client.query('BEGIN')
  const session = oneByOne(client)
  let result: T
  try {
    result = await work(session.tx)
    await session.end()
  } catch (error) {
    await session.end()
    await client.query('ROLLBACK').catch(() => {
      throw new RollbackFailure('rollback failed', { cause: error })
    })
    throw error
  }
  const { command } = await client.query('COMMIT')
  if (command === 'ROLLBACK') {
    throw new Error('the transaction was rolled back, because a statement in it had failed')
  }
  return result
}

/** Invariant 2. `end` refuses further statements and waits for those given. */
function oneByOne(client: pg.PoolClient) {
  let last: Promise<unknown> = Promise.resolve()
  let ended = false
  const tx: Queryable = {
    query<Row>(statement: Statement, values?: readonly unknown[]) {
      if (ended) return Promise.reject(new Error('the transaction has ended'))
      const result = last.then(() => send<Row>(client, statement, values))
      last = result.catch(() => {})
      return result
    },
  }
  const end = async () => {
    ended = true
    await last
  }
  return { tx, end }
}

async function send<Row>(
  client: pg.PoolClient,
  { name, text }: Statement,
  values?: readonly unknown[],
): Promise<QueryResult<Row>> {
  if (name === '' && values === undefined) return sendScript(client, text)
  const { rows, rowCount } = await client.query({
    name,
    text,
    values: encodeParameters(values ?? []),
  })
  return { rows, rowCount: rowCount ?? 0 }
}

async function sendScript<Row>(client: pg.PoolClient, text: string): Promise<QueryResult<Row>> {
  const config = { text, query_timeout: noQueryTimeoutMs }
  const answer: pg.QueryResult | pg.QueryResult[] = await client.query(config)
  const last = Array.isArray(answer) ? answer.at(-1) : answer
  return { rows: (last?.rows ?? []) as Row[], rowCount: last?.rowCount ?? 0 }
}
