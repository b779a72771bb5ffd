import { expect, test } from 'vitest'
import { readMessage } from './read-message.ts'
import type { ThreadReports } from './thread-messages.ts'

const fault = { brief: 'b', detail: 'd', reason: 'R', retryable: true }
const WHOLE: ThreadReports = {
  progress: [{ key: 'a/1', note: { percent: 5, text: 'x', extra: { n: 1 }, revision: 1 } }],
  messages: [{ key: 'a/1', note: { number: 1, severity: 'info', text: 'x' } }],
  waiting: [{ key: 'a/1', waiting: true }],
  heartbeats: [
    { key: 'a/1' },
    { key: 'b/1', data: '1' },
    { key: 'c/1', data: { bytes: new Uint8Array(1), contentType: 'application/cbor' } },
  ],
  ends: [
    { key: 'a/1', end: { kind: 'succeeded', result: new Uint8Array(1), additional: '1' } },
    { key: 'b/1', end: { kind: 'succeeded', result: { address: 'a', contentType: '' } } },
    { key: 'c/1', end: { kind: 'failed', fault } },
    { key: 'd/1', end: { kind: 'stopped' } },
  ],
  successes: [
    ['e/1', '{}'],
    ['f/1', undefined],
    ['g/1', { bytes: new Uint8Array(1), contentType: 'application/cbor' }],
  ],
}

test('what a runner says is read as it is', () => {
  const heard = { kind: 'reports', reports: WHOLE }
  expect(readMessage(heard)).toEqual({ message: heard, isWhole: true })
  const method = { name: 'm', description: '', paramsSchema: '', resultSchema: '', lane: 'task' }
  const ready = {
    kind: 'ready',
    methods: [{ ...method, retry: { maxAttempts: 2 } }],
    schedules: [],
  }
  expect(readMessage(ready)).toEqual({ message: ready, isWhole: true })
})

test.each([
  { kind: 'refreshed' },
  { kind: 'refresh', ask: { id: 1, scope: { kind: 'all' } } },
  { kind: 'refresh', ask: { id: 1, scope: { kind: 'params', name: 'rates', params: '[]' } } },
  { kind: 'refresh', ask: { id: 2, epoch: 7 } },
])('what is said of refreshes is read as it is: %j', (heard) => {
  expect(readMessage(heard)).toEqual({ message: heard, isWhole: true })
})

test.each([
  null,
  undefined,
  5,
  'reports',
  [],
  {},
  { kind: 'close' },
  { kind: 'reports' },
  { kind: 'reports', reports: null },
  { kind: 'reports', reports: [] },
  { kind: 'ready', methods: null, schedules: [] },
  { kind: 'ready', methods: [] },
  { kind: 'ready', methods: [], schedules: ['x'] },
  { kind: 'ready', methods: [{ name: 5 }], schedules: [] },
  { kind: 'unusable', detail: {} },
  { kind: 'refresh' },
  { kind: 'refresh', ask: { id: 0, epoch: 7 } },
  { kind: 'refresh', ask: { id: 1, scope: { kind: 'tag' } } },
  { kind: 'refresh', ask: { id: 1, scope: { kind: 'params', name: 'rates' } } },
])('what no runner says is passed over: %j', (heard) => {
  expect(readMessage(heard)).toEqual({ message: undefined, isWhole: false })
})

test.each<[string, unknown]>([
  ['progress', 5],
  ['progress', [null, { key: 'x', note: null }, { key: 'x', note: { percent: 'much', text: '' } }]],
  ['progress', [{ key: 'x', note: { percent: Number.NaN, text: '', revision: 1 } }]],
  ['progress', [{ key: 'x', note: { percent: 1, text: '', revision: 2 ** 40 } }]],
  ['messages', [{ key: 'x', note: { number: 1, severity: 'loud', text: '' } }]],
  ['messages', [{ key: 'x', note: { number: 0, severity: 'info', text: '' } }]],
  ['waiting', [{ key: 'x', waiting: 'yes' }, { waiting: true }]],
  ['heartbeats', ['x', { key: 1 }]],
  ['ends', [{ end: { kind: 'stopped' } }, 'x']],
  ['successes', ['x', { key: 'x' }, [5, '1'], []]],
  ['successes', { length: 1 }],
])('of %s only what can be read is taken, and the rest of the message stands: %j', (name, bad) => {
  const good: unknown[] = WHOLE[name as keyof ThreadReports] ?? []
  const mixed = Array.isArray(bad) ? [...bad, ...good] : bad
  const read = readMessage({ kind: 'reports', reports: { ...WHOLE, [name]: mixed } })
  const expected = { ...WHOLE, [name]: Array.isArray(bad) ? good : undefined }
  expect(read).toEqual({ message: { kind: 'reports', reports: expected }, isWhole: false })
})

test.each([
  undefined,
  { kind: 'terminated' },
  { kind: 'succeeded', result: 5 },
  { kind: 'succeeded', result: { address: 1 } },
  { kind: 'failed' },
  { kind: 'failed', fault: { brief: 1 } },
])('an attempt that ended in a way that cannot be read has failed: %j', (end) => {
  const { message } = readMessage({ kind: 'reports', reports: { ends: [{ key: 'a/1', end }] } })
  expect(message).toMatchObject({
    reports: { ends: [{ key: 'a/1', end: { kind: 'failed', fault: { retryable: true } } }] },
  })
})

test('a success whose result cannot be read is a failure, beside ends and successes that can', () => {
  const end = { kind: 'stopped' }
  const reports = {
    ends: [{ key: 'a/1', end }],
    successes: [
      ['b/1', 5],
      ['c/1', '1'],
    ],
  }
  const { message, isWhole } = readMessage({ kind: 'reports', reports })
  expect(isWhole).toBe(false)
  expect(message).toMatchObject({
    reports: {
      ends: [
        { key: 'a/1', end },
        { key: 'b/1', end: { kind: 'failed', fault: { retryable: true } } },
      ],
      successes: [['c/1', '1']],
    },
  })
})
