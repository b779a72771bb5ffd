import { Metadata, status } from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { helpUrlOf } from '@offstage/proto/reasons'
import { expect, test } from 'vitest'
import { CallAborted } from './call-aborted.ts'
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

test('however much is wrong, a refusal fits into the trailers that clients take', () => {
  const long = 'é'.repeat(10_000)
  const wrong = (field: string) => ({ field, description: long })
  const { fault, details } = translate(
    new Refusal({
      reason: 'INVALID_FIELD',
      message: long,
      metadata: { method: long },
      violations: [wrong('first'), ...Array.from({ length: 100 }, () => wrong(long))],
    }),
  )
  const [bytes] = fault.metadata.get(STATUS_DETAILS_KEY)
  const size =
    encodeURIComponent(fault.details).length + (bytes as Buffer).toString('base64').length
  // gRPC's C core, and with it Python, takes 8 KiB of metadata.
  expect(size).toBeLessThan(7_500)
  expect(details.reason).toBe('INVALID_FIELD')
  expect(details.helpUrl).toBe(helpUrlOf('INVALID_FIELD'))
  expect(details.violations?.[0]?.field).toBe('first')
  for (const text of [fault.details, details.message, details.metadata?.method])
    expect(text).toMatch(/^é{100,}…$/)
})

test('a text that is cut is cut between characters', () => {
  for (const pad of ['', 'x', 'xx', 'xxx']) {
    const message = `${pad}${'😀'.repeat(1_000)}`
    const { fault } = translate(new Refusal({ reason: 'INVALID_FIELD', message }))
    expect(/^x*(😀)+…$/u.test(fault.details), pad).toBe(true)
  }
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
