import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { ExistingJob } from '../domain/held-job.ts'
import { JobState } from '../domain/job-state.ts'
import type { Payload, StartCommand } from '../domain/start-command.ts'
import { startCommand } from '../testing/start-command.ts'
import { isSameStart } from './same-start.ts'

const existing = (params: Payload, given: Partial<ExistingJob> = {}): ExistingJob =>
  ({
    id: 'a',
    namespace: 'default',
    method: 'test.job',
    owner: 'dev',
    key: '',
    state: JobState.running,
    completion: undefined,
    by: 'request-id',
    params,
    ...given,
  }) as ExistingJob

const json = (text: string): Payload => ({ type: '', inline: Buffer.from(text) })
const sha256 = (text: string) => createHash('sha256').update(text).digest()
const stored = (address: string, sum?: Uint8Array): Payload =>
  ({ type: '', address, sha256: sum }) as Payload

const isSame = (before: Payload, now: Payload, given: Partial<StartCommand> = {}) =>
  isSameStart(existing(before), startCommand({ params: now, ...given }))

test('the same bytes are the same start, and others are not', () => {
  expect(isSame(json('{"a":1}'), json('{"a":1}'))).toBe(true)
  expect(isSame(json('{"a":1}'), json('{"a":2}'))).toBe(false)
})

test('no parameters are the parameters {}', () => {
  expect(isSame({ type: '' }, json('{}'))).toBe(true)
  expect(isSame({ type: '' }, json('null'))).toBe(false)
})

test('the type of parameters counts', () => {
  expect(isSame({ ...json('{}'), type: 'text/plain' }, json('{}'))).toBe(false)
})

test('parameters stored anew for a repeated start are told by their checksum', () => {
  expect(isSame(stored('x', sha256('1')), stored('y', sha256('1')))).toBe(true)
  expect(isSame(stored('x', sha256('1')), stored('y', sha256('2')))).toBe(false)
  expect(isSame(json('1'), stored('y', sha256('1')))).toBe(true)
  expect(isSame(json('1'), stored('y', sha256('2')))).toBe(false)
})

test('without a checksum the caller is believed', () => {
  expect(isSame(stored('x'), stored('y', sha256('1')))).toBe(true)
})

test.each([{ method: 'other.job' }, { namespace: 'other' }, { owner: 'eve' }, { key: 'k' }])(
  'a start with another %o is another one',
  (given) => {
    expect(isSame(json('{}'), json('{}'))).toBe(true)
    expect(isSame(json('{}'), json('{}'), given)).toBe(false)
  },
)
