import { expect, test } from 'vitest'
import { errorForLog, stackForLog } from './error-for-log.ts'

/** What an error is told as, as one text. */
const told = (error: unknown) => JSON.stringify(errorForLog(error))

test('of an error its class, text, frames and causes are told, and the facts that name no value', () => {
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', port: 5432 })
  const error = errorForLog(new TypeError('cannot connect', { cause }))
  expect(error).toMatchObject({
    type: 'TypeError',
    message: 'cannot connect',
    cause: { code: 'ECONNREFUSED', port: 5432, message: 'refused' },
  })
  expect(error.stack).toMatch(
    /^TypeError: cannot connect\n +at [\s\S]*\ncaused by: Error: refused\n +at /,
  )
})

test('the row that PostgreSQL did not take is not told, nor the value it quotes', () => {
  const detail = 'Failing row contains (hush).'
  const check = { severity: 'ERROR', code: '23514', detail, where: 'hush', table: 'jobs' }
  const row = Object.assign(new Error('new row violates check constraint "c"'), check)
  expect(told(row)).toContain('violates check constraint \\"c\\"')
  expect(told(row)).not.toContain('hush')
  const quoted = new Error('invalid input syntax for type json: "hush"')
  expect(told(Object.assign(quoted, { severity: 'ERROR', code: '22P02' }))).not.toContain('hush')
})

test('neither what hangs on an error nor who logs in by a url in its text is told', () => {
  const client = { password: 'hush' }
  const error = Object.assign(new Error('no answer of postgres://me:hush@host/db'), { client })
  expect(told(error)).toContain('postgres://***@host/db')
  expect(told(error)).not.toContain('hush')
  expect(stackForLog(error)).not.toContain('hush')
  expect(told(Object.assign(new Error('Invalid URL'), { input: 'hush' }))).not.toContain('hush')
  expect(told('hush')).toBe('{"type":"string"}')
})

test('errors that lead back to themselves come to an end', () => {
  const error: Error & { cause?: unknown } = new Error('round')
  error.cause = error
  expect(told(error).length).toBeLessThan(20_000)
})
