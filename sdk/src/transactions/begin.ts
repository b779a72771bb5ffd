import { callback } from '../arguments/rules.ts'
import { shown } from '../arguments/shown.ts'
import { firstFrame, placeOfCall } from '../runs/place.ts'
import { currentRun, type Run } from '../runs/run.ts'
import { TransactionForeignError } from './errors.ts'
import { pgTransactions, type TransactionClient } from './pg-client.ts'
import type { TransactionPort } from './port.ts'
import { Transaction } from './transaction.ts'
import { WholeTransaction } from './whole-transaction.ts'

/** What a transaction is begun on: a client of `pg`, or a port of your own for other databases, the same for the same connection. */
export type TransactionSource = TransactionClient | TransactionPort

/** The latest transaction of each connection. */
const wholes = new WeakMap<TransactionPort, WholeTransaction>()

/**
 * Begins a transaction, or, where one is under way on the connection, a part of it (row E2): it commits when the outermost does. One that
 * is still open at the end of the run is rolled back and told.
 *
 * @throws TransactionDoomedError inside one that cannot commit any more; TransactionForeignError where the connection is in a
 *   transaction of another run, or in one that was begun by a statement; what the database says
 */
export async function beginTransaction(on: TransactionSource): Promise<Transaction> {
  const port = portOf(on)
  const run = currentRun()
  const openedAt = placeOfCall()
  const transaction = new Transaction(wholeOn(port, run), run, openedAt)
  await transaction.begun
  return transaction
}

/**
 * Runs `work` in a transaction, as {@link beginTransaction} begins it, and commits what it has done; rolls back where it throws, and
 * throws the same.
 */
export async function inTransaction<T>(
  on: TransactionSource,
  work: (transaction: Transaction) => T,
): Promise<Awaited<T>> {
  callback(work, 'work')
  const transaction = await beginTransaction(on)
  let result: Awaited<T>
  try {
    result = await work(transaction)
  } catch (error) {
    // Where that fails, too, the connection is gone, and its transaction with it.
    await transaction[Symbol.asyncDispose]().catch(() => {})
    throw error
  }
  await transaction.commit()
  return result
}

function wholeOn(port: TransactionPort, run: Run | undefined): WholeTransaction {
  const whole = wholes.get(port)
  if (whole === undefined || whole.isOver) {
    const next = new WholeTransaction(port, run, whole?.ended)
    wholes.set(port, next)
    return next
  }
  if (whole.run !== undefined && run?.isWithin(whole.run) !== true) {
    const [outermost] = whole.open
    const whose = `the run ${whole.run.name}, begun ${firstFrame(outermost?.openedAt ?? '')}`
    throw new TransactionForeignError(
      `the connection is in a transaction of ${whose}: take one of its own for each run`,
    )
  }
  if (whole.refusal !== undefined) throw whole.refusal
  return whole
}

function portOf(on: TransactionSource): TransactionPort {
  const { begin, commit, rollback, query } = Object(on) as Partial<
    TransactionPort & TransactionClient
  >
  if ([begin, commit, rollback].every((each) => typeof each === 'function')) {
    return on as TransactionPort
  }
  if (typeof query === 'function') return pgTransactions(on as TransactionClient)
  throw new TypeError(
    `a transaction is begun on a client of pg, or on a port with begin, commit and rollback, not on ${shown(on)}`,
  )
}
