/** How gates are changed: nothing begins meanwhile, and what replicas know of them is old afterwards (gates.ts). */
import type { Queryable } from '@offstage/kit/database'

/**
 * Statements that let jobs begin queue behind the lock while it is waited for and while it is held: so not for long, though the
 * process that changes a gate may freeze in between.
 */
const LOCK_MS = 2_000
const LIMIT_LOCK_TIME = {
  name: 'limit_gate_lock',
  text: `
    SELECT set_config('lock_timeout', '${LOCK_MS}', true),
      set_config('idle_in_transaction_session_timeout', '${LOCK_MS}', true)`,
}
const LOCK = { name: '', text: 'LOCK TABLE offstage.gate_epoch IN EXCLUSIVE MODE' }
const NEXT_EPOCH = {
  name: 'next_gate_epoch',
  text: 'UPDATE offstage.gate_epoch SET epoch = epoch + 1',
}

/** Nothing begins on any replica until the transaction is over: to be taken before any other lock. */
export async function lockGates(tx: Queryable): Promise<void> {
  await tx.query(LIMIT_LOCK_TIME)
  await tx.query(LOCK)
}

/** What replicas know of the gates is old from now on. */
export async function beginEpoch(tx: Queryable): Promise<void> {
  await tx.query(NEXT_EPOCH)
}
