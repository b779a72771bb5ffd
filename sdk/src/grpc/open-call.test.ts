import { afterEach, expect, test } from 'vitest'
import { openCall } from './open-call.ts'

const limit = Error.stackTraceLimit

afterEach(() => {
  Object.defineProperty(Error, 'stackTraceLimit', { writable: true, value: limit })
})

test('grpc-js takes down no stack for a call that may fail', () => {
  expect(openCall(() => new Error('of grpc-js').stack)).toBe('Error: of grpc-js')
  expect(Error.stackTraceLimit).toBe(limit)
})

test('errors have their frames again after a call that cannot be made', () => {
  const refused = () =>
    openCall(() => {
      throw new TypeError('no')
    })
  expect(refused).toThrow('no')
  expect(Error.stackTraceLimit).toBe(limit)
})

test('calls are made where the application has fixed how many frames there are', () => {
  Object.defineProperty(Error, 'stackTraceLimit', { writable: false, value: 3 })
  expect(openCall(() => 'made')).toBe('made')
  expect(Error.stackTraceLimit).toBe(3)
})
