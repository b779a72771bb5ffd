import { expect, test } from 'vitest'
import { decodeErrorDetails, encodeErrorDetails } from './error-details.ts'
import { ErrorInfo, Status } from './rpc.ts'

test('what a refusal says survives the wire', () => {
  const fault = {
    code: 3,
    message: 'two fields are wrong',
    reason: 'INVALID_FIELD',
    metadata: { job: '42' },
    violations: [{ field: 'params.top', description: 'must be positive' }],
    retryDelayMs: 1250.5,
    helpUrl: 'https://example.org/errors.md#invalid_field',
  }
  const decoded = decodeErrorDetails(encodeErrorDetails(fault))
  expect(decoded).toMatchObject(fault)
})

test('a status without details decodes to its code and message', () => {
  const decoded = decodeErrorDetails(encodeErrorDetails({ code: 5, message: 'nothing here' }))
  expect(decoded).toEqual({ code: 5, message: 'nothing here' })
})

test('details of another domain and of unknown kinds are passed over', () => {
  const foreign = { reason: 'QUOTA', domain: 'example.org', metadata: {} }
  const bytes = Status.encode({
    code: 8,
    message: 'from somebody else',
    details: [
      {
        typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo',
        value: Buffer.from(ErrorInfo.encode(foreign).finish()),
      },
      { typeUrl: 'type.googleapis.com/example.Novelty', value: Buffer.from('x') },
    ],
  }).finish()
  expect(decodeErrorDetails(bytes)).toEqual({ code: 8, message: 'from somebody else' })
})

test('bytes that are no status are refused', () => {
  expect(() => decodeErrorDetails(Buffer.from([0xff, 0xff, 0xff]))).toThrow()
})
