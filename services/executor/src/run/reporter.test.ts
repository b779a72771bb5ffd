import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { expect, test } from 'vitest'
import type { ThreadMessage, ThreadReports } from '../lanes/thread-messages.ts'
import { Reporter } from './reporter.ts'

function setup() {
  const { port1, port2 } = new MessageChannel()
  const reporter = new Reporter(port1)
  const heard = (): ThreadReports[] => {
    reporter.flush()
    const reports: ThreadReports[] = []
    for (;;) {
      const next = receiveMessageOnPort(port2)?.message as ThreadMessage | undefined
      if (next === undefined) return reports
      if (next.kind === 'reports') reports.push(next.reports)
    }
  }
  return { reporter, heard, [Symbol.dispose]: () => port1.close() }
}

test('what a turn has to report goes in one message', () => {
  using it = setup()
  it.reporter.end('a/1', { kind: 'succeeded', result: '1' })
  it.reporter.end('b/1', { kind: 'stopped' })
  expect(it.heard()).toHaveLength(1)
})

test('a result that cannot be sent fails its own attempt, and all else is told', () => {
  using it = setup()
  const detached = new Uint8Array(8)
  structuredClone(detached, { transfer: [detached.buffer] })
  it.reporter.waiting('a/1', true)
  it.reporter.end('a/1', { kind: 'succeeded', result: '1' })
  it.reporter.end('bad/1', { kind: 'succeeded', result: detached })
  it.reporter.end('b/1', { kind: 'succeeded', result: '2' })
  const reports = it.heard()
  expect(reports.flatMap(({ waiting = [] }) => waiting)).toEqual([{ key: 'a/1', waiting: true }])
  expect(reports.flatMap(({ successes = [] }) => successes)).toEqual([
    ['a/1', '1'],
    ['b/1', '2'],
  ])
  const fault = { reason: 'RESULT_NOT_SERIALIZABLE', retryable: false }
  expect(reports.flatMap(({ ends = [] }) => ends)).toMatchObject([
    { key: 'bad/1', end: { kind: 'failed', fault } },
  ])
})

test('a report that cannot be sent is left out, and fails nothing', () => {
  using it = setup()
  const text = (() => {}) as unknown as string
  it.reporter.progress('a/1', { percent: 1, text, revision: 1 })
  it.reporter.message('a/1', { number: 1, severity: 'info', text })
  it.reporter.heartbeat('b/1')
  it.reporter.end('a/1', { kind: 'succeeded' })
  const reports = it.heard()
  expect(reports.flatMap(({ progress = [], messages = [] }) => [...progress, ...messages])).toEqual(
    [],
  )
  expect(reports.flatMap(({ successes = [] }) => successes)).toEqual([['a/1', undefined]])
  expect(reports.flatMap(({ heartbeats = [] }) => heartbeats)).toHaveLength(1)
})

test('what cannot be sent in the middle of a turn is said at its end', () => {
  const said: ThreadReports[] = []
  let isFull = true
  const postMessage = (message: ThreadMessage) => {
    if (isFull) throw new RangeError('Maximum call stack size exceeded')
    if (message.kind === 'reports') said.push(message.reports)
  }
  const reporter = new Reporter({ postMessage })
  reporter.end('a/1', { kind: 'succeeded', result: '1' })
  reporter.progress('b/1', { percent: 1, text: '', revision: 1 })
  isFull = false
  reporter.flush()
  expect(said.flatMap(({ successes = [] }) => successes)).toEqual([['a/1', '1']])
  expect(said.flatMap(({ progress = [] }) => progress)).toHaveLength(1)
})
