import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import type { SlowIdleRun } from './failure-report.ts'

let write: MockInstance<typeof console.error>

beforeEach(() => {
  write = vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

afterEach(() => {
  vi.restoreAllMocks()
})

const never = () => new Promise(() => undefined)

test('a handler that never settles is told of, once, while it holds the others back', async () => {
  const told: SlowIdleRun[] = []
  using it = createTestTable({ onSlow: (run) => told.push(run), slowMs: 3_000 })
  const form = it.table.owner('form', 'orders')
  const stuck = it.handler('stuck', never)
  it.table.attach(form, stuck, { intervalMs: 500 })
  it.table.attach(form, it.handler('b'), { intervalMs: 500 })
  await it.clock.advance(3_499)
  expect(told).toEqual([])
  await it.clock.advance(60_000)
  expect(told).toEqual([{ owner: form, handler: stuck, runningMs: 3_000 }])
  expect(it.runs).toEqual(['stuck@500'])
})

test('so it is during a block and a blocking call, which may be what it waits for', async () => {
  const told: number[] = []
  using it = createTestTable({ onSlow: ({ runningMs }) => told.push(runningMs) })
  const calling = it.handler('a', () => it.activity.during(never))
  it.table.attach(it.table.owner('form'), calling, { intervalMs: 500 })
  using _block = it.table.blockAll()
  await it.clock.advance(500)
  _block.unblock()
  await it.clock.advance(60_000)
  expect(told).toEqual([10_000])
})

test('without onSlow it is written to the console', async () => {
  using it = createTestTable()
  it.table.attach(it.table.owner('form', 'orders'), never, { intervalMs: 500 })
  await it.clock.advance(60_000)
  const line =
    'idle handler never of form "orders" has been running for 10 s; until it ends, no other handler runs'
  expect(write.mock.calls).toEqual([[line]])
})

test.each(['throws', 'rejects'] as const)(
  'an onSlow that %s is written to the console, after what it was told',
  async (how) => {
    const failure = new Error('the status bar is gone')
    const failing = {
      throws: () => {
        throw failure
      },
      rejects: () => Promise.reject(failure),
    }
    using it = createTestTable({ onSlow: failing[how], slowMs: 1_000 })
    it.table.attach(it.table.owner('form', 'orders'), never, { intervalMs: 500 })
    await it.clock.advance(2_000)
    expect(write.mock.calls).toEqual([
      [expect.stringContaining('running for 1 s')],
      ['onSlow of the idle handlers failed', failure],
    ])
  },
)

test('runs that end in time, those of a disposed table, and any with slowMs at Infinity are not', async () => {
  const told: SlowIdleRun[] = []
  const onSlow = (run: SlowIdleRun) => told.push(run)
  using brisk = createTestTable({ onSlow })
  const nap = brisk.handler('nap', () => brisk.clock.delay(9_999))
  brisk.table.attach(brisk.table.owner('form'), nap, { intervalMs: 100 })
  await brisk.clock.advance(60_000)
  expect(brisk.runs.length).toBeGreaterThan(5)
  brisk.table.dispose()
  await brisk.clock.advance(10_000)
  using patient = createTestTable({ onSlow, slowMs: Number.POSITIVE_INFINITY })
  patient.table.attach(patient.table.owner('form'), never, { intervalMs: 100 })
  await patient.clock.advance(2 ** 32)
  expect(told).toEqual([])
})
