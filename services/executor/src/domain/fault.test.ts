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

/** An error whose property is not what the language promises. */
function odd(property: string, descriptor: PropertyDescriptor): Error {
  return Object.defineProperty(new Error('odd'), property, descriptor)
}

const refuse = {
  get: () => {
    throw new Error('no')
  },
}

test.each([
  ['an error whose message is an object', odd('message', { value: { code: 7 } })],
  ['an error whose message is a number', odd('message', { value: 7 })],
  ['an error whose message cannot be read', odd('message', refuse)],
  ['an error whose stack cannot be read', odd('stack', refuse)],
  ['an error whose stack is no text', odd('stack', { value: Symbol('stack') })],
  ['an error whose cause cannot be read', odd('cause', refuse)],
  ['an error whose retryable cannot be read', odd('retryable', refuse)],
  ['an error whose constructor has no readable name', odd('constructor', { value: { name: 7 } })],
  ['several errors that are no list', Object.assign(new AggregateError([]), { errors: 7 })],
  [
    'a proxy that was revoked',
    (() => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    })(),
  ],
])('%s becomes a fault of texts all the same', (_what, thrown) => {
  const { brief, detail, reason, retryable } = faultFromThrown(thrown)
  expect([brief, detail, reason].map((text) => typeof text)).toEqual(['string', 'string', 'string'])
  expect(retryable).toBe(true)
  expect(isAbort(thrown, new Error('enough'))).toBe(false)
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
