/** The adapter for connections of `pg`, by what they look like: the SDK does not depend on it. */
import { TransactionDoomedError, TransactionForeignError } from './errors.ts'
import type { TransactionPort } from './port.ts'

/** A `Client` or `PoolClient` of `pg`, or what has its `query`, as that of PGlite. Not a `Pool`, which takes any connection for each query. */
export interface TransactionClient {
  query(text: string): Promise<unknown>
}

/** What there is besides with `pg`. */
interface PgClient extends TransactionClient {
  release?(error?: Error | boolean): void
  getTransactionStatus?(): string | null
}

const ports = new WeakMap<TransactionClient, TransactionPort>()

/** The transactions of a client of `pg`; the same port for the same client, whoever asks. */
export function pgTransactions(client: TransactionClient): TransactionPort {
  let port = ports.get(client)
  if (port === undefined) {
    if ('totalCount' in client && 'idleCount' in client) {
      throw new TypeError(
        'a transaction cannot be begun on a Pool, which takes any connection for each query: begin it on one of its clients (await pool.connect())',
      )
    }
    port = portOf(client)
    ports.set(client, port)
  }
  return port
}

function portOf(client: PgClient): TransactionPort {
  let isDiscarded = false
  return {
    async begin() {
      const status = client.getTransactionStatus?.()
      if (status === 'T' || status === 'E') {
        throw new TransactionForeignError(
          'a transaction is under way on this client that was begun by a statement of its own: begin and end it by one of the two ways',
        )
      }
      await client.query('BEGIN')
    },
    async commit() {
      const answer = (await client.query('COMMIT')) as { command?: unknown } | undefined
      // What PostgreSQL answers where a statement had failed: it is no error, and nothing is there.
      if (answer?.command === 'ROLLBACK') {
        throw new TransactionDoomedError('a statement in it had failed', '')
      }
    },
    async rollback() {
      // Its transaction has ended with the connection.
      if (!isDiscarded) await client.query('ROLLBACK')
    },
    watch(abandon) {
      return watchRelease(client, (error) => {
        isDiscarded ||= Boolean(error)
        return abandon()
      })
    },
  }
}

/** Whoever gets the client from its pool next finds no transaction of others on it. */
function watchRelease(client: PgClient, onRelease: (error: unknown) => Promise<void>): () => void {
  const { release } = client
  if (release === undefined) return () => {}
  const watched = (error?: Error | boolean): void => {
    stop()
    onRelease(error).then(
      () => release.call(client, error),
      (failure) => release.call(client, error || failure),
    )
  }
  const stop = () => {
    if (client.release === watched) client.release = release
  }
  client.release = watched
  return stop
}
