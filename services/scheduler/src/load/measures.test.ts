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
    queued: 2,
    running: 0,
    waiting: 1,
    oldestMs: at * 1_000,
    paused: at === 1_004,
  }))
  const slots = queues.map(({ namespace, method }, at) => ({
    namespace,
    method,
    slots: at,
    used: 1,
  }))
  const it = await told({ exact: true, queues, lanes: [], methods: slots, executors: [] })
  expect(it.value('offstage_jobs', { namespace: 'odd', method: 'm.3', state: 'queued' })).toBe(2)
  const other = (namespace: string) => ({ namespace, method: 'other' })
  expect(it.value('offstage_jobs', { ...other('even'), state: 'queued' })).toBe(6)
  expect(it.value('offstage_jobs', { ...other('odd'), state: 'waiting' })).toBe(2)
  expect(it.count('offstage_jobs')).toBe(2 * (1_000 + 2))
  expect(it.value('offstage_queue_oldest_seconds', other('even'))).toBe(1_002)
  expect(it.value('offstage_method_slots', other('odd'))).toBe(1_003)
})

test('numbers that cannot be read are absent, and their age says so', async () => {
  const it = await told(undefined)
  expect(it.count('offstage_jobs')).toBe(0)
  expect(it.count('offstage_slots')).toBe(0)
  expect(it.text).toMatch(/^offstage_jobs_read_age_seconds \+Inf$/m)
  expect(it.value('offstage_ready')).toBe(1)
})
