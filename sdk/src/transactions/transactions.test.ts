import { expect, test } from 'vitest'
import { type LeftOpenReport, runInScope } from '../runs/mod.ts'
import {
  beginTransaction,
  inTransaction,
  TransactionDoomedError,
  TransactionForeignError,
  TransactionNotOpenError,
} from './mod.ts'

/** A client as `pg` has it: notes what it is told, and fails or answers as it is asked to. */
function fakeClient(answers: Readonly<Record<string, () => unknown>> = {}) {
  const said: string[] = []
  return {
    said,
    async query(text: string): Promise<unknown> {
      said.push(text)
      return answers[text]?.() ?? { command: text }
    },
  }
}

/** One from a pool of one. */
function pooledClient() {
  const client = { ...fakeClient(), release: (_error?: Error | boolean) => {} }
  const connect = () => {
    client.said.push('connect')
    client.release = (error) => void client.said.push(error ? 'destroyed' : 'released')
    return client
  }
  return { said: client.said, connect }
}

async function inRun(run: () => unknown) {
  const told: LeftOpenReport[] = []
  const options = { onLeftOpen: (report: LeftOpenReport) => told.push(report) }
  const [end] = await Promise.allSettled([runInScope('a run', run, options)])
  const places = told.flatMap(({ leftOpen }) => leftOpen)
  return {
    value: end.status === 'fulfilled' ? end.value : undefined,
    error: end.status === 'rejected' ? (end.reason as Error) : undefined,
    told,
    places,
  }
}

test('transactions inside count: only the outermost begins and commits', async () => {
  const client = fakeClient()
  await inTransaction(client, async () => {
    const inner = await beginTransaction(client)
    await client.query('INSERT')
    await inTransaction(client, () => client.query('UPDATE'))
    await inner.commit()
  })
  await inTransaction(client, () => {})
  const [once, again] = [
    ['BEGIN', 'INSERT', 'UPDATE', 'COMMIT'],
    ['BEGIN', 'COMMIT'],
  ]
  expect(client.said).toEqual([...once, ...again])
})

test('parts that run side by side inside one count, whichever ends first', async () => {
  const client = fakeClient()
  const part = (text: string) => inTransaction(client, () => client.query(text))
  await inTransaction(client, () => Promise.all([part('A'), part('B')]))
  expect(client.said).toEqual(['BEGIN', 'A', 'B', 'COMMIT'])
})

test('what throws is rolled back, and throws the same', async () => {
  const client = fakeClient()
  const fail = () => Promise.reject(new Error('no'))
  await expect(inTransaction(client, fail)).rejects.toThrow('no')
  expect(client.said).toEqual(['BEGIN', 'ROLLBACK'])
})

test('a rollback inside dooms the whole: its commit fails, says where, and rolls back', async () => {
  const client = fakeClient()
  const outer = await beginTransaction(client)
  const middle = await beginTransaction(client)
  const inner = await beginTransaction(client)
  await inner.rollback()
  await expect(beginTransaction(client)).rejects.toThrow(TransactionDoomedError)
  await expect(middle.commit()).rejects.toThrow(TransactionDoomedError)
  expect(client.said).toEqual(['BEGIN'])
  await expect(outer.commit()).rejects.toThrow(
    /^the transaction does not commit: it was rolled back inside/,
  )
  // As whoever catches the failed commit does.
  await outer.rollback()
  expect(client.said).toEqual(['BEGIN', 'ROLLBACK'])
  await inTransaction(client, () => {})
})

test('an error that is caught around a transaction inside does not let the rest commit', async () => {
  const client = fakeClient()
  const whole = inTransaction(client, () =>
    inTransaction(client, () => Promise.reject(new Error('no'))).catch(() => 'caught'),
  )
  await expect(whole).rejects.toThrow(TransactionDoomedError)
  expect(client.said).toEqual(['BEGIN', 'ROLLBACK'])
})

test('the outermost does not commit while one inside is open, whose commit says so too', async () => {
  const client = fakeClient()
  const outer = await beginTransaction(client)
  const inner = await beginTransaction(client)
  await expect(outer.commit()).rejects.toThrow(/begun inside of it is still open/)
  expect(client.said).toEqual(['BEGIN', 'ROLLBACK'])
  await expect(inner.commit()).rejects.toThrow(TransactionDoomedError)
})

test('closing more than was begun is an error', async () => {
  const client = fakeClient()
  const transaction = await beginTransaction(client)
  await transaction.commit()
  await expect(transaction.commit()).rejects.toThrow(/is closed already: it has committed$/)
  await expect(transaction.rollback()).rejects.toThrow(TransactionNotOpenError)
  await transaction[Symbol.asyncDispose]()
  const undone = await beginTransaction(client)
  await undone.rollback()
  await expect(undone.rollback()).rejects.toThrow(/is closed already: it was rolled back$/)
  expect(client.said).toEqual(['BEGIN', 'COMMIT', 'BEGIN', 'ROLLBACK'])
})

test('a run inside closes no transaction that it has not begun', async () => {
  const client = fakeClient()
  await runInScope('outer', async () => {
    const transaction = await beginTransaction(client)
    const inner = runInScope('inner', () => transaction.commit())
    await expect(inner).rejects.toThrow(
      /^the run inner has not begun the transaction: .* in the run outer, and is to be closed there$/,
    )
    await runInScope('inner', () => inTransaction(client, () => {}))
    await transaction.commit()
  })
  expect(client.said).toEqual(['BEGIN', 'COMMIT'])
})

test('a transaction that a run leaves open is rolled back at its end, and told', async () => {
  const client = fakeClient()
  const { value, told, places } = await inRun(async () => {
    await beginTransaction(client)
    await beginTransaction(client)
    return 'done'
  })
  expect(value).toBe('done')
  expect(client.said).toEqual(['BEGIN', 'ROLLBACK'])
  expect(told).toHaveLength(1)
  expect(places.map(({ what }) => what)).toEqual(['a transaction', 'a transaction'])
})

test('one whose begin nobody has waited for is rolled back too', async () => {
  const client = fakeClient()
  const { places } = await inRun(() => void beginTransaction(client))
  expect([client.said, places.length]).toEqual([['BEGIN', 'ROLLBACK'], 1])
})

test('a part that a run inside leaves open dooms the whole, whose commit names that run', async () => {
  const client = fakeClient()
  const { error } = await inRun(() =>
    inTransaction(client, () =>
      runInScope('inner', () => void beginTransaction(client), { onLeftOpen: () => {} }),
    ),
  )
  expect(error?.message).toContain('the run inner ended with one inside still open')
  expect(client.said).toEqual(['BEGIN', 'ROLLBACK'])
})

test('a run does not join the transaction of a run beside it', async () => {
  const client = fakeClient()
  const gate = Promise.withResolvers<void>()
  const first = runInScope('first', () => inTransaction(client, () => gate.promise))
  const second = runInScope('second', () => inTransaction(client, () => {}))
  await expect(second).rejects.toThrow(TransactionForeignError)
  await expect(inTransaction(client, () => {})).rejects.toThrow(/of the run first, begun at /)
  gate.resolve()
  await first
  expect(client.said).toEqual(['BEGIN', 'COMMIT'])
})

test('a client goes back to its pool without a transaction, and is told of with the run', async () => {
  const { connect, said } = pooledClient()
  const { places } = await inRun(async () => {
    const client = connect()
    const transaction = await beginTransaction(client)
    client.release()
    await expect(transaction.commit()).rejects.toThrow(/given back before its end/)
    // The pool has one: whoever waits for it must not wait for the end of the run.
    await expect.poll(() => said.at(-1)).toBe('released')
  })
  expect(said).toEqual(['connect', 'BEGIN', 'ROLLBACK', 'released'])
  expect(places).toHaveLength(1)
  await inTransaction(connect(), () => {})
  expect(said.slice(4)).toEqual(['connect', 'BEGIN', 'COMMIT'])
})

test('a client that is given back broken is not asked to roll back', async () => {
  const { connect, said } = pooledClient()
  await inRun(async () => {
    const client = connect()
    await beginTransaction(client)
    client.release(new Error('broken'))
  })
  expect(said).toEqual(['connect', 'BEGIN', 'destroyed'])
})

test('one that does not roll back is taken from its pool', async () => {
  const { connect, said } = pooledClient()
  const { places } = await inRun(async () => {
    const client = connect()
    await beginTransaction(client)
    client.query = () => Promise.reject(new Error('connection lost'))
    client.release()
  })
  expect(said).toEqual(['connect', 'BEGIN', 'destroyed'])
  expect(places).toHaveLength(1)
})

test('outside of any run, giving a client back with a transaction under way is told by a warning', async () => {
  const { connect, said } = pooledClient()
  const warned = Promise.withResolvers<Error>()
  process.once('warning', warned.resolve)
  const client = connect()
  await beginTransaction(client)
  client.release()
  expect((await warned.promise).message).toContain('a transaction; opened\n    at ')
  expect(said).toEqual(['connect', 'BEGIN', 'ROLLBACK', 'released'])
})

test('a commit that PostgreSQL answers with a rollback fails', async () => {
  const client = fakeClient({ COMMIT: () => ({ command: 'ROLLBACK' }) })
  await expect(inTransaction(client, () => {})).rejects.toThrow(
    'the transaction does not commit: a statement in it had failed',
  )
})

test('a begin or a commit that fails leaves nothing open, and nothing to tell', async () => {
  const fail = (what: string) => () => {
    throw new Error(`no ${what}`)
  }
  const client = fakeClient({ BEGIN: fail('begin') })
  const { error, told } = await inRun(() => inTransaction(client, () => {}))
  expect([error?.message, told]).toEqual(['no begin', []])
  const other = fakeClient({ COMMIT: fail('commit') })
  const { error: second, told: none } = await inRun(() => inTransaction(other, () => {}))
  expect([second?.message, none]).toEqual(['no commit', []])
  expect(other.said).toEqual(['BEGIN', 'COMMIT'])
})

test('a transaction that was begun by a statement is not taken for one that counts', async () => {
  const client = { ...fakeClient(), getTransactionStatus: () => 'T' }
  await expect(beginTransaction(client)).rejects.toThrow(TransactionForeignError)
  expect(client.said).toEqual([])
})

test('a port of any other database does as well', async () => {
  const said: string[] = []
  const say = (text: string) => async () => void said.push(text)
  const port = { begin: say('begin'), commit: say('commit'), rollback: say('rollback') }
  await inTransaction(port, () => inTransaction(port, () => {}))
  expect(said).toEqual(['begin', 'commit'])
})

test.each([
  ['is a Pool', { query: async () => {}, totalCount: 0, idleCount: 0 }, /begin it on one of its/],
  ['is nothing', undefined, /is begun on a client of pg, or on a port .*, not on undefined$/],
  ['is a text', 'postgres://', /not on "postgres:\/\/"$/],
])('what %s is refused', async (_what, on, message) => {
  await expect(beginTransaction(on as never)).rejects.toThrow(message)
})
