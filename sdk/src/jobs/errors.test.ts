import { expect, test } from 'vitest'
import { isRetryable, NonRetryableError } from './errors.ts'

test('everything thrown may be retried unless it, or a cause of it, says otherwise', () => {
  expect(isRetryable(new Error('busy'))).toBe(true)
  expect(isRetryable('a string')).toBe(true)
  expect(isRetryable(new NonRetryableError('no such file'))).toBe(false)
  expect(isRetryable(Object.assign(new Error('own class'), { retryable: false }))).toBe(false)
  expect(isRetryable(new Error('outer', { cause: new NonRetryableError('inner') }))).toBe(false)
})

test('the outermost word counts, and circular causes end', () => {
  const outer = Object.assign(new Error('outer'), { retryable: true })
  outer.cause = new NonRetryableError('inner')
  expect(isRetryable(outer)).toBe(true)
  const circular = new Error('circular')
  circular.cause = circular
  expect(isRetryable(circular)).toBe(true)
})
