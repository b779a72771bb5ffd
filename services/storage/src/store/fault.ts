import type { Database, Queryable } from '@offstage/kit/database'
import type { WriteFault } from '../domain/put.ts'
import { isWriterLost } from './writer-store.ts'

/** Takes a transaction back; comes no further than {@link orFault}. */
export class Fault extends Error {
  readonly fault: WriteFault
  constructor(fault: WriteFault) {
    super(fault.kind)
    this.fault = fault
  }
}

/** The work as a transaction, or why it did not happen. */
export async function orFault<T>(
  database: Database,
  work: (tx: Queryable) => Promise<T>,
): Promise<T | WriteFault> {
  try {
    return await database.transaction(work)
  } catch (error) {
    if (error instanceof Fault) return error.fault
    if (isWriterLost(error)) return { kind: 'writer-lost' }
    throw error
  }
}
