/** One connection to a database, as far as its transactions go. It has at most one under way. */
export interface TransactionPort {
  begin(): Promise<void>
  /** Rejects where what was done is not there afterwards. Either way no transaction is under way then. */
  commit(): Promise<void>
  rollback(): Promise<void>
  /**
   * Where a connection can be given away while its transaction is under way: told at each begin what rolls that back, to be called and
   * waited for before somebody else gets the connection. Returns what ends the watch.
   */
  watch?(abandon: () => Promise<void>): () => void
}
