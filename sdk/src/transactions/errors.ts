import { firstFrame } from '../runs/place.ts'

/** The transaction cannot commit, and what was done in it is gone: something inside of it was rolled back. */
export class TransactionDoomedError extends Error {
  override readonly name = 'TransactionDoomedError'
  /** The frames of the code that rolled it back, innermost first. */
  readonly rolledBackAt: string

  constructor(why: string, rolledBackAt: string, options?: ErrorOptions) {
    const where = rolledBackAt === '' ? '' : ` (${firstFrame(rolledBackAt)})`
    super(`the transaction does not commit: ${why}${where}`, options)
    this.rolledBackAt = rolledBackAt
  }
}

/** More was closed than was begun in this run: the transaction is closed already, or belongs to another run. */
export class TransactionNotOpenError extends Error {
  override readonly name = 'TransactionNotOpenError'
}

/** The connection has a transaction under way that is none of this run: it would commit, or undo, what is not its own. */
export class TransactionForeignError extends Error {
  override readonly name = 'TransactionForeignError'
}
