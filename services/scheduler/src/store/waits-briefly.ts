/**
 * Whoever takes an id, a request id or a key looks first whether a transaction that is still open has it in hand (request-in-hand.ts, key-in-hand.ts). One
 * that records its row right after that look is waited for by the unique index, however long it stays open: with this in the statement, no longer than
 * a moment. It ends with SQLSTATE 55P03 then, and is to be run again, which passes over that one and holds up none of the others.
 */
const LOCK_WAIT_MS = 1_000

/** SQL, true, and found out once for a statement; it holds to the end of the transaction. */
export const WAITS_BRIEFLY = `(SELECT set_config('lock_timeout', '${LOCK_WAIT_MS}', true)) IS NOT NULL`
