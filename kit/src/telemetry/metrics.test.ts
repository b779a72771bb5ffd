import { scrapeOf } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { createMetrics, type Measures } from './metrics.ts'

const create = () => createMetrics({ service: 'scheduler', unready: () => undefined })

/** Counts how often it is prepared, and says so. */
function counting(): Measures & { prepared: number } {
  const measures = {
    prepared: 0,
    prepare: async () => {
      measures.prepared += 1
    },
    metrics: [
      {
        name: 'test_prepared_total',
        help: 'How often',
        kind: 'counter' as const,
        read: () => measures.prepared,
      },
    ],
  }
  return measures
}

test('each reading is of the moment it is asked for, and series that are gone are told no more', async () => {
  await using metrics = create()
  await metrics.start()
  let readings = [
    { value: 3, labels: { method: 'a"b\\c\nd' } },
    { value: 5, labels: { method: 'other' } },
  ]
  const read = () => readings
  const labels = ['method']
  metrics.add({
    metrics: [
      { name: 'test_jobs', help: 'Jobs', kind: 'gauge', labels, read },
      { name: 'test_ends_total', help: 'Ends', kind: 'counter', labels, read },
    ],
  })
  const before = scrapeOf((await metrics.render()).text)
  expect(before.types).toMatchObject({ test_jobs: 'gauge', test_ends_total: 'counter' })
  for (const name of ['test_jobs', 'test_ends_total']) {
    expect(before.value(name, { method: 'a"b\\c\nd' })).toBe(3)
    expect(before.value(name, { method: 'other' })).toBe(5)
  }
  readings = [{ value: 1, labels: { method: 'other' } }]
  const after = scrapeOf((await metrics.render()).text)
  expect(after.count('test_jobs')).toBe(1)
  expect(after.value('test_jobs', { method: 'other' })).toBe(1)
})

test('those who ask at the same time share one answer', async () => {
  const metrics = create()
  const measures = counting()
  metrics.add(measures)
  const answers = await Promise.all([1, 2, 3].map(() => metrics.render()))
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  expect(measures.prepared).toBe(1)
  await metrics.render()
  expect(measures.prepared).toBe(2)
})
