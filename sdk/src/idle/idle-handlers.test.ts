import { describe, expect, test } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import { InvalidIntervalError, OwnerDisposedError } from './errors.ts'
import { idleHandlers } from './idle-handlers.ts'

describe('attaching (row I1)', () => {
  test('a handler runs once in each interval', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 250 })
    await it.clock.advance(1_000)
    expect(it.runs).toEqual(['a@250', 'a@500', 'a@750', 'a@1000'])
  })

  test('a handler attached once runs once and is gone', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const handler = it.handler('a')
    it.table.attach(form, handler, { intervalMs: 100, once: true })
    expect(it.table.isAttached(form, handler)).toBe(true)
    await it.clock.advance(1_000)
    expect(it.runs).toEqual(['a@100'])
    expect(it.table.isAttached(form, handler)).toBe(false)
    expect(it.table.size).toBe(0)
  })

  test('an interval can have fractions, down to 100 ms', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100.5 })
    it.table.attach(it.table.owner('form'), it.handler('b'), { intervalMs: 100 })
    await it.clock.advance(201)
    expect(it.runs).toEqual(['b@100', 'a@101', 'b@200', 'a@201'])
  })

  test.each([
    ...[99.999, 0, -1, Number.NaN, Number.POSITIVE_INFINITY],
    ...['500', 500n, Symbol('500'), {}, Object.create(null), null, undefined],
  ])(
    'an interval of %o is refused with the field named, and what was attached stays',
    async (intervalMs) => {
      using it = createTestTable()
      const form = it.table.owner('form')
      const handler = it.handler('a')
      it.table.attach(form, handler, { intervalMs: 100 })
      const options = { intervalMs: intervalMs as number }
      expect(() => it.table.attach(form, handler, options)).toThrow(InvalidIntervalError)
      expect(() => it.table.attach(form, handler, options)).toThrow(/^intervalMs must be .*100/)
      await it.clock.advance(100)
      expect(it.runs).toEqual(['a@100'])
    },
  )

  test('the refusal says what was given', () => {
    expect(new InvalidIntervalError(50).message).toMatch(/, not 50$/)
    expect(new InvalidIntervalError('500').message).toMatch(/, not "500"$/)
  })

  test('options are read once, so what is checked is what is used', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const read: string[] = []
    const options = {
      get intervalMs() {
        read.push('intervalMs')
        return 100
      },
      get once() {
        read.push('once')
        form.dispose()
        return true
      },
    }
    expect(() => it.table.attach(form, it.handler('a'), options)).toThrow(OwnerDisposedError)
    expect(read).toEqual(['intervalMs', 'once'])
  })

  test('what is no handler, no level or no owner of this table is refused', () => {
    using it = createTestTable()
    using other = createTestTable()
    const attach = (owner: unknown, handler: unknown) => () =>
      it.table.attach(owner as never, handler as never, { intervalMs: 100 })
    expect(attach(it.table.owner('form'), 'tick')).toThrow('handler must be a function')
    expect(attach(other.table.owner('form'), () => 0)).toThrow('owner must come from')
  })

  // biome-ignore lint/suspicious/noExplicitAny: plain JavaScript may pass anything
  type Loose = any

  test.each<[string, (table: Loose, attach: (options?: unknown) => void) => void]>([
    ['the options of attach must be an object, not undefined', (_, attach) => attach()],
    ['the options of attach must be an object, not 500', (_, attach) => attach(500)],
    ['attach has no option interval; it has intervalMs', (_, attach) => attach({ interval: 500 })],
    ['intervalMs must be a finite number', (_, attach) => attach({})],
    ['once must be true or false, not 1', (_, attach) => attach({ intervalMs: 100, once: 1 })],
    ['strict must be true or false', (_, attach) => attach({ intervalMs: 100, strict: 'no' })],
    ['level must be one of application, module, form, not "window"', (t) => t.owner('window')],
    ['name must be a text, not an object', (t) => t.owner('form', { open: false })],
    ['open must be true or false, not "no"', (t) => t.owner('form', 'a', { open: 'no' })],
    ['idleHandlers has no option onFail', () => idleHandlers({ onFail: () => 0 } as Loose)],
    ['onError must be a function, not true', () => idleHandlers({ onError: true } as Loose)],
    ['slowMs must be milliseconds above 0, not 0', () => idleHandlers({ slowMs: 0 })],
    ['slowMs must be milliseconds above 0', () => idleHandlers({ slowMs: '5' } as Loose)],
    ['clock must be a clock with now()', () => idleHandlers({ clock: Date } as Loose)],
    ['activity must be a source of activity', () => idleHandlers({ activity: {} } as Loose)],
  ])('a wrong argument is refused: %s', (message, call) => {
    using it = createTestTable()
    const attach = (options?: unknown) =>
      it.table.attach(it.table.owner('form'), () => 0, options as Loose)
    expect(() => call(it.table, attach)).toThrow(message)
    expect(it.table.size).toBe(0)
  })

  test('attached again the last wins and its rhythm begins anew', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const handler = it.handler('a')
    it.table.attach(form, handler, { intervalMs: 100 })
    await it.clock.advance(130)
    it.table.attach(form, handler, { intervalMs: 200 })
    expect(it.table.size).toBe(1)
    await it.clock.advance(400)
    expect(it.runs).toEqual(['a@100', 'a@330', 'a@530'])
  })

  test('the same handler on two owners is two attachments', async () => {
    using it = createTestTable()
    const handler = it.handler('a')
    const [left, right] = [it.table.owner('form'), it.table.owner('form')]
    it.table.attach(left, handler, { intervalMs: 100 })
    it.table.attach(right, handler, { intervalMs: 100 })
    it.table.detach(left, handler)
    await it.clock.advance(100)
    expect(it.runs).toEqual(['a@100'])
  })

  test('a handler can attach itself again from inside, with another interval too', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const again = it.handler('a', () => it.table.attach(form, again, { intervalMs: 300 }))
    it.table.attach(form, again, { intervalMs: 100 })
    const onceMore = it.handler('b', () => {
      it.table.attach(form, onceMore, { intervalMs: 150, once: true })
    })
    it.table.attach(form, onceMore, { intervalMs: 100, once: true })
    await it.clock.advance(400)
    expect(it.runs).toEqual(['a@100', 'b@100', 'b@250', 'a@400', 'b@400'])
  })

  test('detaching stops a handler at once, and detaching twice is nothing', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const other = it.handler('b')
    const handler = it.handler('a', () => it.table.detach(form, other))
    it.table.attach(form, handler, { intervalMs: 100 })
    it.table.attach(form, other, { intervalMs: 100 })
    await it.clock.advance(100)
    expect(it.runs).toEqual(['a@100'])
    expect(it.table.detach(form, handler)).toBe(true)
    expect(it.table.detach(form, handler)).toBe(false)
    expect(it.clock.pendingTimers).toBe(0)
  })

  test('an interval longer than timers can take is waited for in stages', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 2 ** 32 })
    await it.clock.advance(2 ** 32 - 1)
    expect(it.runs).toEqual([])
    await it.clock.advance(1)
    expect(it.runs).toEqual([`a@${2 ** 32}`])
  })

  test('any number of handlers wait on one timer', async () => {
    using it = createTestTable()
    for (let n = 0; n < 100; n += 1) {
      const owner = it.table.owner('form', `form ${n}`)
      it.table.attach(owner, it.handler(`h${n}`), { intervalMs: 100 + (n % 7) })
      expect(it.clock.pendingTimers).toBe(1)
    }
    await it.clock.advance(150)
    expect(it.clock.pendingTimers).toBe(1)
    expect(it.runs).toHaveLength(100)
  })
})

describe('a failing handler (row I2)', () => {
  test('is reported and goes on, and so do the others', async () => {
    using it = createTestTable()
    const form = it.table.owner('form', 'invoice')
    const thrown = new Error('thrown')
    const rejected = new Error('rejected')
    const throws = it.handler('a', () => {
      throw thrown
    })
    const rejects = it.handler('b', () => Promise.reject(rejected))
    it.table.attach(form, throws, { intervalMs: 100 })
    it.table.attach(form, rejects, { intervalMs: 100 })
    it.table.attach(form, it.handler('c'), { intervalMs: 100 })
    await it.clock.advance(200)
    expect(it.runs).toEqual(['a@100', 'b@100', 'c@100', 'a@200', 'b@200', 'c@200'])
    expect(it.failures.slice(0, 2)).toEqual([
      { error: thrown, owner: form, handler: throws },
      { error: rejected, owner: form, handler: rejects },
    ])
    expect(it.failures).toHaveLength(4)
  })
})

describe('blocking (row I4)', () => {
  test('handlers held back by a block run once when it is released and keep their rhythm', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
    const block = it.table.blockAll()
    await it.clock.advance(350)
    expect(it.runs).toEqual([])
    block.unblock()
    expect(it.runs).toEqual([])
    await it.clock.advance(100)
    expect(it.runs).toEqual(['a@350', 'a@400'])
  })

  test('nested blocks count, and releasing one twice releases no other', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
    const outer = it.table.blockAll()
    {
      using inner = it.table.blockAll()
      inner.unblock()
    }
    await it.clock.advance(100)
    expect(it.runs).toEqual([])
    outer.unblock()
    await it.clock.advance()
    expect(it.runs).toEqual(['a@100'])
  })

  test('a handler that blocks is itself not interrupted, but the next one waits', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const first = it.handler('a', async () => {
      const block = it.table.blockAll()
      await it.clock.delay(50)
      it.runs.push('a ends')
      it.clock.delay(50).then(() => block.unblock())
    })
    it.table.attach(form, first, { intervalMs: 1_000 })
    it.table.attach(form, it.handler('b'), { intervalMs: 1_000 })
    await it.clock.advance(1_200)
    expect(it.runs).toEqual(['a@1000', 'a ends', 'b@1100'])
  })
})

test('tables made without a clock or an activity have their own', async () => {
  using table = idleHandlers()
  expect(table.activity.busy).toBe(false)
  using call = table.activity.begin()
  expect(table.activity.busy).toBe(true)
  call.end()
  expect(table.size).toBe(0)
})
