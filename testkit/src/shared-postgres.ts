/**
 * One PostgreSQL server for all tests of a process, one file after the other, where each wants no more than a database
 * of its own. It ends with the process.
 */
import { startPostgres, type TestPostgres } from './postgres.ts'

export interface SharedDatabase extends AsyncDisposable {
  readonly url: string
}

/** Fills an empty database, and leaves nothing connected to it. */
export type Prepare = (url: string) => Promise<void>

let server: Promise<TestPostgres> | undefined
const originals = new Map<Prepare, Promise<string>>()

/** A fresh database: as `prepare` leaves an empty one, which it is asked for once. Disposing of it removes it. */
export async function createSharedDatabase(prepare?: Prepare): Promise<SharedDatabase> {
  server ??= startPostgres()
  const postgres = await server
  const url = await postgres.createDatabase(prepare && (await originalOf(prepare, postgres)))
  return { url, [Symbol.asyncDispose]: () => postgres.dropDatabase(url) }
}

function originalOf(prepare: Prepare, postgres: TestPostgres): Promise<string> {
  let original = originals.get(prepare)
  if (original === undefined) {
    original = postgres.createDatabase().then(async (url) => {
      await prepare(url)
      return url
    })
    originals.set(prepare, original)
  }
  return original
}
