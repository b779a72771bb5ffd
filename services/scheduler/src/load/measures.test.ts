import { createMetrics } from '@offstage/kit/telemetry'
import { scrapeOf } from '@offstage/testkit'
import { expect, test } from 'vitest'
import type { Load } from '../domain/load.ts'
import { createLoadReading } from './load-reading.ts'
import { loadMeasures } from './measures.ts'

async function told(load: Load | undefined) {
  const reading = createLoadReading({ store: { read: async () => load } })
  await using metrics = createMetrics({ service: 'scheduler', unready: () => undefined })
  metrics.add(loadMeasures(reading, () => {}))
  return scrapeOf((await metrics.render()).text)
}

test('methods beyond a thousand are told together, and nothing is missing in the sum', async () => {
  const queues = Array.from({ length: 1_005 }, (_, at) => ({
    namespace: at % 2 === 0 ? 'even' : 'odd',
    method: `m.${at}`,
    pool: '',
    queued: 2,
    running: 0,
    waiting: 1,
    oldestMs: at * 1_000,
    paused: at === 1_004,
  }))
  const slots = queues.map(({ namespace, method }, at) => ({
    namespace,
    method,
    pool: '',
    slots: at,
    used: 1,
  }))
  const it = await told({
    exact: true,
    queues,
    lanes: [],
    pools: [],
    methods: slots,
    executors: [],
  })
  expect(
    it.value('offstage_jobs', {
      namespace: 'odd',
      method: 'm.3',
      pool: 'default',
      state: 'queued',
    }),
  ).toBe(2)
  const other = (namespace: string) => ({ namespace, method: 'other', pool: 'other' })
  expect(it.value('offstage_jobs', { ...other('even'), state: 'queued' })).toBe(6)
  expect(it.value('offstage_jobs', { ...other('odd'), state: 'waiting' })).toBe(2)
  expect(it.count('offstage_jobs')).toBe(2 * (1_000 + 2))
  expect(it.value('offstage_queue_oldest_seconds', other('even'))).toBe(1_002)
  expect(it.value('offstage_method_slots', other('odd'))).toBe(1_003)
})

test('pools that callers make up crowd out no method', async () => {
  const queue = { namespace: 'n', running: 0, waiting: 0, oldestMs: 1_000, paused: false }
  const queues = [
    { ...queue, method: 'm.busy', pool: '', queued: 9 },
    ...Array.from({ length: 5_000 }, (_, at) => ({
      ...queue,
      method: 'm.open',
      pool: `made-up-${at}`,
      queued: 1,
    })),
  ]
  const it = await told({ exact: true, queues, lanes: [], pools: [], methods: [], executors: [] })
  const queued = (method: string, pool: string) =>
    it.value('offstage_jobs', { namespace: 'n', method, pool, state: 'queued' })
  expect(queued('m.busy', 'default')).toBe(9)
  expect(queued('m.open', 'made-up-3')).toBe(1)
  expect(queued('m.open', 'other')).toBe(4_001)
  expect(it.count('offstage_jobs')).toBe(1_001)
})

test('numbers that cannot be read are absent, and their age says so', async () => {
  const it = await told(undefined)
  expect(it.count('offstage_jobs')).toBe(0)
  expect(it.count('offstage_slots')).toBe(0)
  expect(it.text).toMatch(/^offstage_jobs_read_age_seconds \+Inf$/m)
  expect(it.value('offstage_ready')).toBe(1)
})
