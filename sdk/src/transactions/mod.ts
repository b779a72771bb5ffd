/** Transactions that count (row E2), and end with the run that began them: `docs/guides/runs-and-transactions.md`. */
export { beginTransaction, inTransaction, type TransactionSource } from './begin.ts'
export {
  TransactionDoomedError,
  TransactionForeignError,
  TransactionNotOpenError,
} from './errors.ts'
export { pgTransactions, type TransactionClient } from './pg-client.ts'
export type { TransactionPort } from './port.ts'
export type { Transaction } from './transaction.ts'
