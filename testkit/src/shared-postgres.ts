/**
 * One PostgreSQL server for all tests of a process, one file after the other, where each wants no more than a database
 * of its own. It ends with the process. What a test gives back the next one has, with its rows put back.
 */
import { Client } from 'pg'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { type Ask, resetTo, type Snapshot, snapshotOf } from './row-reset.ts'

export interface SharedDatabase extends AsyncDisposable {
  readonly url: string
}

/** Fills an empty database, and leaves nothing connected to it. */
export type Prepare = (url: string) => Promise<void>

interface Original {
  readonly url: string
  readonly snapshot: Snapshot
  /** Like it, and nobody's. */
  readonly spare: string[]
}

let server: Promise<TestPostgres> | undefined
const originals = new Map<Prepare, Promise<Original>>()

/**
 * A database nobody else has until it is disposed of, as `prepare` leaves an empty one, which it is asked for once. Whoever is
 * connected to it then is not any more.
 */
export async function createSharedDatabase(prepare?: Prepare): Promise<SharedDatabase> {
  const postgres = await serverOfAll()
  const original = prepare && (await originalOf(prepare, postgres))
  const url = original?.spare.pop() ?? (await postgres.createDatabase(original?.url))
  let over: Promise<void> | undefined
  const giveBack = async () => {
    if (original !== undefined && (await isPutBack(url, original))) original.spare.push(url)
    else await postgres.dropDatabase(url)
  }
  return { url, [Symbol.asyncDispose]: () => (over ??= giveBack()) }
}

function serverOfAll(): Promise<TestPostgres> {
  if (server === undefined) {
    server = startPostgres()
    // It failed one test, which need not fail all the others.
    server.catch(() => {
      server = undefined
    })
  }
  return server
}

function originalOf(prepare: Prepare, postgres: TestPostgres): Promise<Original> {
  let original = originals.get(prepare)
  if (original === undefined) {
    original = postgres.createDatabase().then(async (url) => {
      await prepare(url)
      return { url, snapshot: await connected(url, snapshotOf), spare: [] }
    })
    originals.set(prepare, original)
    original.catch(() => originals.delete(prepare))
  }
  return original
}

const GONE_MS = 5_000
const TERMINATE_OTHERS = `
  SELECT pg_terminate_backend(pid, ${GONE_MS}) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`

function isPutBack(url: string, { snapshot }: Original): Promise<boolean> {
  return connected(url, async (ask) => {
    await ask(TERMINATE_OTHERS)
    return resetTo(snapshot, ask)
  })
}

async function connected<T>(url: string, use: (ask: Ask) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await use(async (sql) => (await client.query(sql)).rows)
  } finally {
    await client.end()
  }
}
