import { expect, test } from 'vitest'
import { JOB_LANES, Lane } from '../domain/lane.ts'
import { Backlog } from './backlog.ts'

function setup() {
  const hints: string[] = []
  const queueReady = (namespace: string, method: string) => hints.push(`${namespace}/${method}`)
  const backlog = new Backlog({ events: { queueReady }, poolsOf: () => [''] })
  let woken = 0
  backlog.onQueued(() => {
    woken += 1
  })
  return { backlog, hints, woken: () => woken }
}

test('a queue of which the lane is not known may hold jobs in every lane', () => {
  const { backlog } = setup()
  backlog.add({ namespace: 'ns', method: 'a' })
  for (const lane of JOB_LANES)
    expect(backlog.has({ namespace: 'ns', method: 'a', lane, pool: '' })).toBe(true)
  backlog.clear({ namespace: 'ns', method: 'a', lane: 2, pool: '' })
  expect(backlog.has({ namespace: 'ns', method: 'a', lane: 2, pool: '' })).toBe(false)
  expect(backlog.has({ namespace: 'ns', method: 'a', lane: 3, pool: '' })).toBe(true)
})

test('what is queued is announced to listeners here, and with one hint for each method elsewhere', () => {
  const { backlog, hints, woken } = setup()
  const job = { namespace: 'ns', method: 'a', lane: Lane.inline }
  backlog.announce([job, { ...job, lane: Lane.task }, job, { ...job, method: 'b' }])
  expect(hints).toEqual(['ns/a', 'ns/b'])
  expect(woken()).toBeGreaterThan(0)
  expect(backlog.has({ namespace: 'ns', method: 'b', lane: 1, pool: '' })).toBe(true)
})

test('a queue that could not be read to its end is remembered without waking anybody', () => {
  const { backlog, hints, woken } = setup()
  backlog.note({ namespace: 'ns', method: 'a', lane: 1 })
  expect(backlog.has({ namespace: 'ns', method: 'a', lane: 1, pool: '' })).toBe(true)
  expect([woken(), hints]).toEqual([0, []])
})

test('a free slot looks for jobs of its lane and for those that name no lane', () => {
  const { backlog } = setup()
  backlog.note({ namespace: 'ns', method: 'a', lane: 2 })
  expect([1, 2, 3].map((lane) => backlog.fills(lane))).toEqual([false, true, false])
  backlog.note({ namespace: 'ns', method: 'b', lane: 0 })
  expect([1, 2, 3].map((lane) => backlog.fills(lane))).toEqual([true, true, true])
})

test('methods of two namespaces are not taken for each other', () => {
  const { backlog } = setup()
  backlog.add({ namespace: 'ns', method: 'a' })
  expect(backlog.has({ namespace: 'other', method: 'a', lane: 0, pool: '' })).toBe(false)
})

test('what was queued while the queue was read is not forgotten with its end', () => {
  const backlog = new Backlog({ events: { queueReady: () => {} }, poolsOf: () => [''] })
  const queue = { namespace: 'ns', method: 'a', lane: 1, pool: '' } as const
  backlog.add(queue)
  const { words } = backlog
  backlog.add(queue)
  backlog.clear(queue, words)
  expect(backlog.has(queue)).toBe(true)
  backlog.clear(queue, backlog.words)
  expect(backlog.has(queue)).toBe(false)
})
