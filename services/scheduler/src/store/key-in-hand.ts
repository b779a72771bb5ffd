/**
 * SQL: whether no transaction that is still open has started a job with the key, by SQL (migrations/0017-sql-starts.sql). The unique index
 * of keys would let whoever takes the key wait for that, however long it takes, and all who share the statement. Taking the key's lock
 * for a moment tells.
 */
export const keyNotInHand = (namespace: string, method: string, key: string) => `(
            SELECT CASE WHEN pg_try_advisory_lock_shared(key.lock) THEN pg_advisory_unlock_shared(key.lock) ELSE false END
            FROM (SELECT offstage.key_lock(${namespace}, ${method}, ${key}) AS lock OFFSET 0) key)`
