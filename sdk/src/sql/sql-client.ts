/**
 * The caller's connection, with its transaction under way: a `Client` or `PoolClient` of `pg`, or what has its `query`. Not a `Pool`,
 * which takes any connection for each query, so none of a transaction.
 */
export interface SqlClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
}
