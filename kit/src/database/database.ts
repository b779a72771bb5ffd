/** A SQL text with the name it is prepared under, once for each connection. */
export interface Statement {
  /**
   * Prepared statement name, at most 63 characters, unique for its text. The empty name means "do
   * not prepare"; then, and only without values, the text may hold several statements (the result
   * is that of the last one).
   */
  readonly name: string
  readonly text: string
}

export interface QueryResult<Row> {
  readonly rows: Row[]
  /** Rows returned or changed; 0 for statements that have no such number. */
  readonly rowCount: number
}

/**
 * Runs statements, one at a time in the order they were given when called on a transaction.
 *
 * Parameters, the same for every adapter:
 * - `null` and `undefined` are NULL, at the top and inside arrays;
 * - string, number, bigint, boolean, Date and Uint8Array (Buffer) are themselves;
 * - an array is a PostgreSQL array of one dimension; empty arrays and NULLs inside are fine; one of
 *   bytes is sent as a binary bytea[], so its parameter has to be of that type (`$1::bytea[]`);
 * - json and jsonb: a string is taken as JSON text as it stands, a plain object is stringified. The
 *   same holds for the elements of `jsonb[]`, where an array is a JSON array too. At the top a JSON
 *   array, string or number has to be passed as JSON text. JSON text is the faster way.
 *
 * Results, the same for every adapter: int2/int4/int8/float to number (an int8 beyond 2^53 is
 * refused with a RangeError), bool to boolean, bytea to Buffer, timestamptz to Date (milliseconds;
 * infinity and years before 1 are refused with a RangeError), json/jsonb parsed, arrays of
 * these to arrays, numeric and every other type to string.
 */
export interface Queryable {
  query<Row = unknown>(statement: Statement, values?: readonly unknown[]): Promise<QueryResult<Row>>
}

/** Where connections stand: those open, those of them idle, and callers waiting for one. */
export interface DatabaseStats {
  total: number
  idle: number
  waiting: number
}

/** The truth of a service. Disposing it refuses new work, waits for running work and closes. */
export interface Database extends Queryable, AsyncDisposable {
  readonly kind: 'postgres' | 'pglite'
  /**
   * Runs `work` in one READ COMMITTED transaction and commits it; rolled back when `work` throws,
   * whose error is passed on. A commit that PostgreSQL turned into a rollback, because a failed
   * statement was swallowed by `work`, throws. Do not call the database itself from within `work`:
   * with one connection (PGlite) that waits for ever.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>
  /**
   * Runs `work` on a connection of its own, outside of transactions, and closes it: what was set or locked in it ends with it. For
   * scripts, whose statements the server limits to its statement_timeout, unless one sets another.
   */
  session<T>(work: (session: Queryable) => Promise<T>): Promise<T>
  stats(): DatabaseStats
  /**
   * Tells the first statement that fails for want of the server (isConnectionError), and the first that succeeds after
   * it. The function returned ends that.
   */
  onReachableChange(listener: (reachable: boolean) => void): () => void
}
