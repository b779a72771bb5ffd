import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createValuesStore, reusable, runInCallScope } from '../values/mod.ts'
import { currentRun, type LeftOpenReport, type RunOptions, runInScope } from './mod.ts'

/** Notes what is closed and told. */
function setup() {
  const closed: string[] = []
  const told: LeftOpenReport[] = []
  return {
    closed,
    told,
    options: { onLeftOpen: (report) => told.push(report) } satisfies RunOptions,
    open(what: string, more: { readonly told?: boolean } = {}) {
      return currentRun()?.opened({ what, close: () => closed.push(what), ...more })
    },
  }
}

test('what is open at the end of a run is closed, the last first, and told once', async () => {
  const { open, closed, told, options } = setup()
  const value = await runInScope(
    'GET /orders',
    async () => {
      open('a door')
      await setImmediate()
      open('a window')
      open('a book')?.closed()
      return 7
    },
    options,
  )
  expect(value).toBe(7)
  expect(closed).toEqual(['a window', 'a door'])
  expect(told).toHaveLength(1)
  expect(told[0]?.run).toBe('GET /orders')
  expect(told[0]?.leftOpen.map(({ what }) => what)).toEqual(['a window', 'a door'])
})

test('a run that leaves nothing open tells nothing, nor of what is meant to end with it', async () => {
  const { open, closed, told, options } = setup()
  await runInScope('a', () => open('a door')?.closed(), options)
  await runInScope('b', () => open('a lock', { told: false }), options)
  expect([closed, told]).toEqual([['a lock'], []])
})

test.each([
  ['throws', () => Promise.reject(new Error('no'))],
  ['is aborted', () => Promise.reject(AbortSignal.abort(new Error('no')).reason)],
  [
    'throws before its first await',
    () => {
      throw new Error('no')
    },
  ],
])('a run that %s is ended all the same, and says so after that', async (_how, fail) => {
  const { open, closed, told, options } = setup()
  const run = () => {
    open('a door')
    return fail()
  }
  await expect(runInScope('a', run, options)).rejects.toThrow('no')
  expect([closed, told.length]).toEqual([['a door'], 1])
})

test('what fails to close is told with the reason, keeps nothing else open, and fails no run', async () => {
  const { open, closed, told, options } = setup()
  const run = () => {
    open('a door')
    const close = () => Promise.reject(new Error('it is stuck'))
    currentRun()?.opened({ what: 'a window', close, told: false })
    return 'done'
  }
  expect(await runInScope('a', run, options)).toBe('done')
  expect(closed).toEqual(['a door'])
  expect(told[0]?.leftOpen.map(({ error }) => error)).toEqual([new Error('it is stuck'), undefined])
})

test('much that cannot be closed holds up the end of a run no longer than two such things', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { open, closed, told, options } = setup()
  let isOver = false
  const ended = runInScope(
    'a',
    () => {
      open('a door')
      for (let n = 0; n < 100; n++) {
        currentRun()?.opened({ what: `window ${n}`, close: () => Promise.withResolvers().promise })
      }
      open('a book')
    },
    options,
  ).finally(() => {
    isOver = true
  })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(isOver).toBe(true)
  await ended
  expect(closed).toEqual(['a book', 'a door'])
  expect(told).toHaveLength(1)
  expect(told[0]?.leftOpen).toHaveLength(102)
  expect(told[0]?.leftOpen.filter(({ error }) => error !== undefined)).toHaveLength(100)
})

test('a log that gives no answer holds up the end of no run, which is told by a warning then', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const warned = Promise.withResolvers<Error>()
  process.once('warning', warned.resolve)
  const { open } = setup()
  let isOver = false
  const run = runInScope('a', () => void open('a door'), {
    onLeftOpen: () => Promise.withResolvers().promise,
  }).finally(() => {
    isOver = true
  })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(isOver).toBe(true)
  await run
  expect((await warned.promise).message).toMatch(
    /^a left open, closed at its end:\n- a door; opened/,
  )
})

test('what cannot be closed is refused where it is opened', async () => {
  await runInScope('a', (run) => {
    expect(() => run.opened({ what: 'a door' } as never)).toThrow('close must be a function')
    expect(() => run.opened({ close: () => {} } as never)).toThrow('what must be')
  })
})

test('a run within a run closes what was opened in itself, at its own end', async () => {
  const { open, closed, told, options } = setup()
  await runInScope(
    'outer',
    async () => {
      open('a door')
      await runInScope('inner', () => open('a window'), options)
      expect(closed).toEqual(['a window'])
      expect(currentRun()?.name).toBe('outer')
    },
    options,
  )
  expect(closed).toEqual(['a window', 'a door'])
  expect(told.map(({ run }) => run)).toEqual(['inner', 'outer'])
})

test('runs side by side do not see one another', async () => {
  const { open, closed, options } = setup()
  const gate = Promise.withResolvers<void>()
  const slow = runInScope(
    'slow',
    async () => {
      open('of slow')
      await gate.promise
      return currentRun()?.name
    },
    options,
  )
  await runInScope('quick', () => open('of quick'), options)
  expect(closed).toEqual(['of quick'])
  gate.resolve()
  expect(await slow).toBe('slow')
  expect(closed).toEqual(['of quick', 'of slow'])
})

test('what goes on after the end belongs to no run, nor does what is outside of any', async () => {
  const gate = Promise.withResolvers<void>()
  let late: Promise<unknown> | undefined
  await runInScope('a', () => {
    late = gate.promise.then(() => currentRun())
  })
  gate.resolve()
  expect(await late).toBeUndefined()
  expect(currentRun()).toBeUndefined()
})

test('a scope of values inside hides no run, and a run is a scope of values of its own', async () => {
  using store = createValuesStore()
  let computed = 0
  const count = reusable(() => ++computed, { name: 'count', lifetime: 'call', store })
  await runInScope('a', async (run) => {
    expect([count(), count()]).toEqual([1, 1])
    runInCallScope(() => expect(currentRun()).toBe(run))
    expect(await runInScope('b', () => count())).toBe(2)
    expect(count()).toBe(1)
  })
  await runInScope('a', () => expect(count()).toBe(3))
})

test('without a log of its own a run tells by a warning of the process', async () => {
  const warned = Promise.withResolvers<Error>()
  process.once('warning', warned.resolve)
  await runInScope('GET /orders', () => {
    currentRun()?.opened({ what: 'a door', close: () => Promise.reject(new Error('it is stuck')) })
  })
  const { name, message } = await warned.promise
  expect([name, Reflect.get(await warned.promise, 'code')]).toEqual([
    'OffstageWarning',
    'LEFT_OPEN',
  ])
  expect(message).toMatch(
    /^GET \/orders left open, closed at its end:\n- a door, which failed: it is stuck; opened\n {4}at /,
  )
})

test.each([
  ['name must be a text that is not empty, not ""', () => runInScope('', () => 1)],
  ['callback must be a function, not 1', () => runInScope('a', 1 as never)],
  [
    'runInScope has no option log; it has session, user, privileged, onLeftOpen',
    () => runInScope('a', () => 1, { log: 1 } as never),
  ],
])('%s', async (message, call) => {
  await expect(call()).rejects.toThrow(message)
})
