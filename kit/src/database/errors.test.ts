import { expect, test } from 'vitest'
import { constraintOf, isConnectionError, isTransientError, sqlStateOf } from './errors.ts'

const coded = (code: string, more: object = {}) => Object.assign(new Error('x'), { code, ...more })

test.each([
  coded('57P01', { severity: 'FATAL' }),
  coded('57P03', { severity: 'FATAL' }),
  coded('08006', { severity: 'ERROR' }),
  coded('53300', { severity: 'FATAL' }),
  coded('ECONNREFUSED'),
  coded('ECONNRESET'),
  coded('ENOENT', { syscall: 'connect' }),
  coded('28P01', { severity: 'FATAL' }),
  coded('SELF_SIGNED_CERT_IN_CHAIN'),
  new Error('The server does not support SSL connections'),
  new Error('Connection terminated unexpectedly'),
  new Error('timeout exceeded when trying to connect'),
  new Error('Query read timeout'),
  new Error('wrapped', { cause: coded('EPIPE') }),
  new AggregateError([coded('EHOSTUNREACH')], 'all addresses failed'),
])('%s (%#) means the server is out of reach', (error) => {
  expect(isConnectionError(error)).toBe(true)
})

test.each([
  coded('23505', { severity: 'ERROR' }),
  coded('57014', { severity: 'ERROR' }),
  coded('ENOENT', { syscall: 'open' }),
  new Error('the database has been closed'),
  'Connection terminated',
  undefined,
])('%s (%#) is no matter of the connection', (error) => {
  expect(isConnectionError(error)).toBe(false)
})

test.each([
  ...['40P01', '40001', '53100', '55P03', '57014', '58030'].map((state) =>
    coded(state, { severity: 'ERROR' }),
  ),
  coded('ECONNRESET'),
])('$code will pass', (error) => {
  expect(isTransientError(error)).toBe(true)
})

test.each(['22P05', '23505', '42601'])('%s is in the statement', (state) => {
  expect(isTransientError(coded(state, { severity: 'ERROR' }))).toBe(false)
})

test('SQLSTATE and constraint are those of the server, never of the system', () => {
  const refused = coded('23505', { severity: 'ERROR', constraint: 'one_per_key' })
  expect([sqlStateOf(refused), constraintOf(refused)]).toEqual(['23505', 'one_per_key'])
  expect([sqlStateOf(coded('EPIPE')), constraintOf(coded('EPIPE'))]).toEqual([undefined, undefined])
  expect([sqlStateOf(null), constraintOf(null)]).toEqual([undefined, undefined])
})
