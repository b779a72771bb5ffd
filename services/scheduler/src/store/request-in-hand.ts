/**
 * SQL: whether transactions that are still open have started jobs by SQL with a request id (migrations/0020-sql-start-requests.sql). The
 * unique indexes of ids and request ids would let a start wait for them, however long it takes, and all who share its statement.
 * Taking a lock of theirs for a moment tells.
 */
const isFree = (lock: string, mode: '' | '_shared') => `(
            SELECT CASE WHEN pg_try_advisory_lock${mode}(asked.lock) THEN pg_advisory_unlock${mode}(asked.lock) ELSE false END
            FROM (SELECT ${lock} AS lock OFFSET 0) asked)`

/** Whether this one is free, which is null where there is none. */
export const requestNotInHand = (namespace: string, owner: string, requestId: string) =>
  isFree(`offstage.request_lock(${namespace}, ${owner}, ${requestId})`, '_shared')

/**
 * Whether all ids of jobs are free: found out once for a statement, which costs its jobs nothing. Two that ask in the same microsecond may find that they
 * are not.
 */
export const NO_ID_IN_HAND = isFree('7308332047::bigint', '')
