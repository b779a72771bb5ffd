import { expect, test } from 'vitest'
import type { BusStatus } from '../bus/bus.ts'
import { createLogger } from './logger.ts'
import { createTroubleLog, logOutages } from './outages.ts'

function setup() {
  const lines: { level: string; msg: string }[] = []
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) }
  const log = createLogger({ name: 'test', level: 'info', destination })
  let database: (reachable: boolean) => void = () => {}
  let bus: (status: BusStatus) => void = () => {}
  const parts = {
    database: {
      onReachableChange(listener: typeof database) {
        database = listener
        return () => {}
      },
    },
    bus: {
      onStatusChange(listener: typeof bus) {
        bus = listener
        return { unsubscribe: () => {} }
      },
    },
  }
  logOutages(log, parts as unknown as Parameters<typeof logOutages>[1])
  return { lines, log, database: (is: boolean) => database(is), bus: (is: BusStatus) => bus(is) }
}

test('an outage is one line at its beginning and one at its end', () => {
  const it = setup()
  it.bus('connected')
  it.database(false)
  it.bus('disconnected')
  it.database(true)
  it.bus('connected')
  expect(it.lines.map(({ msg }) => msg)).toEqual([
    expect.stringContaining('the database cannot be reached'),
    expect.stringContaining('NATS is gone'),
    'the database answers again',
    'NATS is back',
  ])
  expect(it.lines[2]).toMatchObject({ level: 'warn', outageMs: expect.any(Number) })
})

test('a bus that its owner closes is no outage', () => {
  const it = setup()
  it.bus('closed')
  expect(it.lines).toEqual([])
})

test('work tried again warns of what is new, not of an outage that was told', () => {
  const it = setup()
  const trouble = createTroubleLog(it.log, 'failed')
  trouble(new Error('Connection terminated unexpectedly'))
  trouble(new Error('a bug'))
  expect(it.lines).toMatchObject([{ level: 'warn', msg: 'failed', err: { message: 'a bug' } }])
})
