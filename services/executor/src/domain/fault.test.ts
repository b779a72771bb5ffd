import { expect, test } from 'vitest'
import { AttemptFault, faultFromThrown, isAbort } from './fault.ts'

class PrinterError extends Error {}

test('brief, detail with causes, reason and whether to retry come from the error', () => {
  const cause = Object.assign(new TypeError('no toner'), { cause: 'tray open' })
  const fault = faultFromThrown(new PrinterError('cannot print', { cause }))
  expect(fault).toMatchObject({ brief: 'cannot print', reason: 'PrinterError', retryable: true })
  expect(fault.detail).toMatch(/cannot print[\s\S]*caused by: TypeError: no toner[\s\S]*tray open/)
})

test('an UPPER_SNAKE reason of the error itself is kept', () => {
  const thrown = new AttemptFault('PARAMS_INVALID', 'x', { retryable: false })
  expect(faultFromThrown(thrown)).toMatchObject({ reason: 'PARAMS_INVALID', retryable: false })
})

test.each([
  ['a text', 'oops', 'oops'],
  ['nothing', undefined, 'undefined'],
  ['null', null, 'null'],
  ['an object', { code: 7 }, '{"code":7}'],
  ['a symbol', Symbol('s'), 'Symbol(s)'],
  [
    'an object that cannot be read',
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('no')
        },
      },
    ),
    'a value of type object that cannot be shown',
  ],
])('%s that is thrown becomes a fault', (_what, thrown, brief) => {
  expect(faultFromThrown(thrown).brief).toBe(brief)
})

test('long texts are cut to what the record takes', () => {
  const thrown = new Error('ä'.repeat(5_000))
  thrown.stack = 'ä'.repeat(40_000)
  const { brief, detail } = faultFromThrown(thrown)
  expect(brief).toHaveLength(1_000)
  expect(Buffer.byteLength(detail)).toBeLessThanOrEqual(32 * 1024)
  expect(detail).toMatch(/^ä+$/)
})

test('causes that run in a circle end', () => {
  const thrown = new Error('a')
  thrown.cause = new Error('b', { cause: thrown })
  expect(faultFromThrown(thrown).detail.match(/caused by/g)).toHaveLength(1)
})

test('an abort is known by its reason, its name, or among its causes', () => {
  const reason = new Error('enough')
  expect(isAbort(reason, reason)).toBe(true)
  expect(isAbort(new TypeError('fetch failed', { cause: reason }), reason)).toBe(true)
  expect(isAbort(Object.assign(new Error('x'), { name: 'AbortError' }), reason)).toBe(true)
  expect(isAbort(new Error('enough'), reason)).toBe(false)
})
