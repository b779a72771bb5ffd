import { Metadata, status } from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { helpUrlOf } from '@offstage/proto/reasons'
import { expect, test } from 'vitest'
import { CallAborted } from './call-context.ts'
import { Refusal } from './refusal.ts'
import { statusFromError } from './status-from-error.ts'

function translate(error: unknown) {
  const unknown: unknown[] = []
  const fault = statusFromError(error, (cause) => unknown.push(cause))
  const details = decodeErrorDetails(fault.metadata.get(STATUS_DETAILS_KEY)[0] as Buffer)
  return { fault, details, unknown }
}

test('a refusal keeps everything it says but its cause', () => {
  const { fault, details, unknown } = translate(
    new Refusal({
      reason: 'JOB_KEY_TAKEN',
      message: 'job 7 of ann holds the key',
      metadata: { job: '7', owner: 'ann' },
      retryDelayMs: 1_000,
      cause: new Error('duplicate key value violates unique constraint'),
    }),
  )
  expect(fault).toMatchObject({
    code: status.ALREADY_EXISTS,
    details: 'job 7 of ann holds the key',
  })
  expect(details).toMatchObject({
    code: status.ALREADY_EXISTS,
    reason: 'JOB_KEY_TAKEN',
    metadata: { job: '7', owner: 'ann' },
    retryDelayMs: 1_000,
    helpUrl: helpUrlOf('JOB_KEY_TAKEN'),
  })
  expect(JSON.stringify(fault.metadata.getMap())).not.toContain('constraint')
  expect(unknown).toEqual([])
})

test('a refusal may choose another code than the one listed with its reason', () => {
  const refusal = new Refusal({ reason: 'OVERLOADED', code: status.UNAVAILABLE, message: 'busy' })
  expect(translate(refusal).fault.code).toBe(status.UNAVAILABLE)
})

test.each([
  ['cancelled', status.CANCELLED, 'CANCELLED'],
  ['deadline', status.DEADLINE_EXCEEDED, 'DEADLINE_EXCEEDED'],
  ['server-stop', status.UNAVAILABLE, 'SHUTTING_DOWN'],
] as const)('an abort because of %s is no fault', (kind, code, reason) => {
  const { fault, details, unknown } = translate(new CallAborted(kind))
  expect(fault.code).toBe(code)
  expect(details.reason).toBe(reason)
  expect(unknown).toEqual([])
})

test('a lost database is unavailable, with a time to come back', () => {
  const lost = new Error('query failed', {
    cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
  })
  const { fault, details, unknown } = translate(lost)
  expect(fault.code).toBe(status.UNAVAILABLE)
  expect(details.reason).toBe('DATABASE_UNAVAILABLE')
  expect(details.retryDelayMs).toBeGreaterThan(0)
  expect(unknown).toEqual([])
})

test.each([
  ['an error', new Error('secret')],
  ['a text', 'secret'],
  ['nothing', undefined],
  [
    'a status of another service',
    Object.assign(new Error('secret'), { code: 5, details: 'secret' }),
  ],
  ['an abort of something else', new DOMException('secret', 'AbortError')],
])('%s that nobody expected says nothing to the caller and is told once', (_name, error) => {
  const { fault, details, unknown } = translate(error)
  expect(fault).toMatchObject({
    code: status.INTERNAL,
    details: 'internal error; the log of the service has the cause',
  })
  expect(fault.metadata).toBeInstanceOf(Metadata)
  expect(details.reason).toBe('INTERNAL')
  expect(unknown).toEqual([error])
})
