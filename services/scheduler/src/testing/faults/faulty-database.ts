/**
 * A database that fails now and then as a real one does: before it has done anything, or after it has done it all and the answer
 * is lost. A transaction may break at each of its statements, and its commit may be the last that was heard of.
 */
import type { Database, Queryable, Statement } from '@offstage/kit/database'
import type { Chance } from '@offstage/testkit'

export interface FaultOptions {
  readonly chance: Chance
  /** Whether the next statement fails. */
  readonly strikes: () => boolean
  /** Whether the answer to this one may be lost; else it fails. Default: to any. */
  readonly mayLose?: (statement: string) => boolean
  /** Is told of each that does, with the name of its statement. */
  readonly onFault?: (statement: string, how: 'failed' | 'lost') => void
}

/** Nothing of the statement was applied. */
const FAILED = [
  () => coded('connect ECONNREFUSED 127.0.0.1:1', { code: 'ECONNREFUSED' }),
  () => coded('Connection terminated unexpectedly'),
  () => coded('out of memory', { code: '53200', severity: 'ERROR' }),
]
/** It was, and nobody hears of it. */
const LOST = [
  () => coded('Query read timeout'),
  () => coded('Connection terminated unexpectedly'),
  () => coded('read ECONNRESET', { code: 'ECONNRESET' }),
]

export function withFaults(database: Database, options: FaultOptions): Database {
  const { chance, strikes, mayLose = () => true, onFault = () => {} } = options
  const failed = (name: string) => {
    onFault(name, 'failed')
    return chance.one(FAILED)()
  }
  async function faulty<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (!strikes()) return run()
    if (chance.within(0, 1) === 0 || !mayLose(name)) throw failed(name)
    await run()
    onFault(name, 'lost')
    throw chance.one(LOST)()
  }
  const transact = <T>(work: (tx: Queryable) => Promise<T>) =>
    database.transaction(async (tx) => {
      let fault: Error | undefined
      const query = <Row>(statement: Statement, values?: readonly unknown[]) => {
        if (fault === undefined && strikes()) fault = failed(statement.name)
        return fault === undefined ? tx.query<Row>(statement, values) : Promise.reject(fault)
      }
      const result = await work({ query })
      // Whatever the work made of it: the connection is gone, and the transaction with it.
      if (fault !== undefined) throw fault
      return result
    })
  return {
    ...database,
    query: <Row>(statement: Statement, values?: readonly unknown[]) =>
      faulty(statement.name, () => database.query<Row>(statement, values)),
    transaction: (work) => faulty('commit', () => transact(work)),
  }
}

function coded(message: string, of: { code?: string; severity?: string } = {}): Error {
  return Object.assign(new Error(message), of)
}
