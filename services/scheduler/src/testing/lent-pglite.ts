/**
 * PGlite for tests, one after the other: to open one and to migrate it takes longer than most of them. Whoever closes theirs
 * gives it back, and the next one has it as a scheduler leaves an empty database. One that cannot be put back is closed instead.
 */
import { type Database, openPglite } from '@offstage/kit/database'
import { type Ask, resetTo, type Snapshot, snapshotOf } from '@offstage/testkit'
import { migrateJobs } from '../store/tables.ts'

interface Kept {
  readonly database: Database
  readonly snapshot: Snapshot
}

const spare: Kept[] = []

/** Migrated, empty and nobody else's until it is closed. */
export async function lendPglite(): Promise<Database> {
  const kept = spare.pop() ?? (await open())
  return lend(kept.database, async () => {
    const { database, snapshot } = kept
    if (await resetTo(snapshot, askOf(database))) spare.push(kept)
    else await database[Symbol.asyncDispose]()
  })
}

async function open(): Promise<Kept> {
  const database = await openPglite()
  await migrateJobs(database)
  return { database, snapshot: await snapshotOf(askOf(database)) }
}

function askOf(database: Database): Ask {
  return async (text) => (await database.query<Record<string, unknown>>({ name: '', text })).rows
}

function lend(database: Database, giveBack: () => Promise<void>): Database {
  const running = new Set<Promise<unknown>>()
  let closed: Promise<void> | undefined
  const track = <T>(work: () => Promise<T>): Promise<T> => {
    if (closed !== undefined) return Promise.reject(new Error('the database has been closed'))
    const result = work()
    running.add(result)
    const done = () => running.delete(result)
    result.then(done, done)
    return result
  }
  return {
    ...database,
    query: (statement, values) => track(() => database.query(statement, values)),
    transaction: (work) => track(() => database.transaction(work)),
    session: (work) => track(() => database.session(work)),
    [Symbol.asyncDispose]: () => (closed ??= Promise.allSettled(running).then(giveBack)),
  }
}
