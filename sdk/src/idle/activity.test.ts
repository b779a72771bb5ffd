import { afterEach, describe, expect, test, vi } from 'vitest'
import { createTestTable } from '../testing/test-table.ts'
import { createActivity } from './activity.ts'

describe('handlers and blocking calls (row I2)', () => {
  test('a handler due during a long call runs at once after it, once, then keeps its rhythm', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
    await it.clock.advance(110)
    const call = it.activity.begin()
    await it.clock.advance(340)
    expect(it.newRuns()).toEqual(['a@100'])
    call.end()
    await it.clock.advance(200)
    expect(it.newRuns()).toEqual(['a@450', 'a@500', 'a@600'])
  })

  test('so it does after a computation that kept the thread from the timer', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
    it.clock.jump(450)
    await it.clock.advance(100)
    expect(it.runs).toEqual(['a@450', 'a@500'])
  })

  test('no handler runs before the last of overlapping calls has ended', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
    const [first, second] = [it.activity.begin(), it.activity.begin()]
    await it.clock.advance(150)
    first.end()
    first.end()
    await it.clock.advance(10)
    expect(it.runs).toEqual([])
    second.end()
    await it.clock.advance()
    expect(it.runs).toEqual(['a@160'])
  })

  test('a handler never runs inside the end of a call, and a call that begins at once is in time', async () => {
    using it = createTestTable()
    it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
    const first = it.activity.begin()
    await it.clock.advance(150)
    first.end()
    const second = it.activity.begin()
    await it.clock.advance(10)
    second.end()
    expect(it.runs).toEqual([])
    await it.clock.advance()
    expect(it.runs).toEqual(['a@160'])
  })

  test('a call begun by a handler holds the others back after the handler has ended', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const calling = it.handler('a', () => void it.activity.during(() => it.clock.delay(30)))
    it.table.attach(form, calling, { intervalMs: 100 })
    it.table.attach(form, it.handler('b'), { intervalMs: 100 })
    await it.clock.advance(150)
    expect(it.runs).toEqual(['a@100', 'b@130'])
  })
})

type Then = (resolve: () => void, reject: (error: unknown) => void) => unknown

/** Gives something a `then` of its own. */
function withThen(target: object, then: Then) {
  return Object.assign(target, { then })
}

describe('handlers among themselves (row I2)', () => {
  test('an asynchronous handler is awaited before the next one runs', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const slow = it.handler('a', () => it.clock.delay(30))
    it.table.attach(form, slow, { intervalMs: 100 })
    it.table.attach(form, it.handler('b'), { intervalMs: 100 })
    await it.clock.advance(150)
    expect(it.runs).toEqual(['a@100', 'b@130'])
  })

  test('so is one whose promise is a function with a `then`, and its failure is reported', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const failure = new Error('refused')
    const query = withThen(
      () => undefined,
      (_, reject) => it.clock.delay(30).then(() => reject(failure)),
    )
    it.table.attach(
      form,
      it.handler('a', () => query),
      { intervalMs: 100, once: true },
    )
    it.table.attach(form, it.handler('b'), { intervalMs: 100, once: true })
    await it.clock.advance(150)
    expect(it.runs).toEqual(['a@100', 'b@130'])
    expect(it.failures.map(({ error }) => error)).toEqual([failure])
  })

  test('a promise whose patched `then` calls back twice ends its run once', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    const stutter = withThen(Promise.resolve(), (resolve) => {
      for (const ms of [0, 50]) it.clock.delay(ms).then(resolve)
    })
    it.table.attach(
      form,
      it.handler('a', () => stutter),
      { intervalMs: 100, once: true },
    )
    const slow = it.handler('b', () => it.clock.delay(100))
    it.table.attach(form, slow, { intervalMs: 100, once: true })
    it.table.attach(form, it.handler('c'), { intervalMs: 100, once: true })
    await it.clock.advance(250)
    expect(it.runs).toEqual(['a@100', 'b@100', 'c@200'])
  })

  test('one that outlasts its own interval runs again at once, once, and keeps its rhythm', async () => {
    using it = createTestTable()
    const lengths = [270, 0, 0]
    const handler = it.handler('a', () => it.clock.delay(lengths.shift() ?? 0))
    it.table.attach(it.table.owner('form'), handler, { intervalMs: 100 })
    await it.clock.advance(500)
    expect(it.runs).toEqual(['a@100', 'a@370', 'a@400', 'a@500'])
  })

  test('a crowd of long computations leaves the event loop a turn between them', async () => {
    using it = createTestTable()
    const form = it.table.owner('form')
    for (const name of ['a', 'b', 'c']) {
      const compute = it.handler(name, () => {
        it.clock.delay(0).then(() => it.runs.push('event loop'))
        it.clock.jump(10)
      })
      it.table.attach(form, compute, { intervalMs: 100, once: true })
    }
    await it.clock.advance(130)
    expect(it.runs).toEqual(['a@100', 'event loop', 'b@110', 'event loop', 'c@120', 'event loop'])
  })
})

describe('createActivity', () => {
  test('during() lasts as long as the promise and passes on its outcome', async () => {
    const activity = createActivity()
    const gate = Promise.withResolvers<string>()
    const answer = activity.during(() => gate.promise)
    expect(activity.busy).toBe(true)
    gate.resolve('done')
    expect(await answer).toBe('done')
    expect(activity.busy).toBe(false)
    const failure = new Error('refused')
    const fail = () => {
      throw failure
    }
    await expect(activity.during(fail)).rejects.toBe(failure)
    expect(activity.busy).toBe(false)
  })

  test('listeners hear the end of the last call only, until they are disposed', () => {
    const activity = createActivity()
    let idle = 0
    const subscription = activity.onIdle(() => {
      idle += 1
    })
    const outer = activity.begin()
    activity.begin().end()
    expect(idle).toBe(0)
    outer.end()
    outer.end()
    expect(idle).toBe(1)
    subscription[Symbol.dispose]()
    activity.begin().end()
    expect(idle).toBe(1)
  })

  test('a listener disposed of by an earlier one is not called any more', () => {
    const activity = createActivity()
    const heard: string[] = []
    activity.onIdle(() => {
      heard.push('first')
      second[Symbol.dispose]()
    })
    const second = activity.onIdle(() => heard.push('second'))
    activity.begin().end()
    expect(heard).toEqual(['first'])
  })

  describe('a listener that fails', () => {
    const failure = new Error('the status bar is gone')
    const listeners = {
      throws: () => {
        throw failure
      },
      rejects: () => Promise.reject(failure),
    }

    afterEach(() => {
      vi.restoreAllMocks()
      vi.unstubAllGlobals()
    })

    test.each(['throws', 'rejects'] as const)(
      'and %s is written to the console; the call and the tables are none the worse for it',
      async (how) => {
        const write = vi.spyOn(console, 'error').mockImplementation(() => undefined)
        const activity = createActivity()
        activity.onIdle(listeners[how])
        using it = createTestTable({ activity })
        it.table.attach(it.table.owner('form'), it.handler('a'), { intervalMs: 100 })
        const save = async () => {
          await it.clock.delay(150)
          return 'saved'
        }
        const saved = activity.during(save)
        await it.clock.advance(200)
        expect(await saved).toBe('saved')
        expect(it.runs).toEqual(['a@150', 'a@200'])
        expect(write.mock.calls).toEqual([
          ['a listener for the end of blocking calls failed', failure],
        ])
      },
    )

    test('is told to reportError where there is one, after the round', async () => {
      const heard: unknown[] = []
      vi.stubGlobal('reportError', (error: unknown) => heard.push(error))
      const activity = createActivity()
      activity.onIdle(listeners.throws)
      activity.onIdle(() => heard.push('second'))
      activity.begin().end()
      await Promise.resolve()
      expect(heard).toEqual(['second', failure])
    })

    test('is written to the console when reportError throws', async () => {
      const write = vi.spyOn(console, 'error').mockImplementation(() => undefined)
      vi.stubGlobal('reportError', listeners.throws)
      const activity = createActivity()
      activity.onIdle(listeners.throws)
      activity.begin().end()
      await Promise.resolve()
      expect(write).toHaveBeenCalledOnce()
    })
  })

  test('one activity holds back several tables', async () => {
    using left = createTestTable()
    using right = createTestTable({ clock: left.clock, activity: left.activity })
    for (const table of [left.table, right.table]) {
      table.attach(table.owner('form'), left.handler('a'), { intervalMs: 100 })
    }
    using call = left.activity.begin()
    await left.clock.advance(150)
    expect(left.runs).toEqual([])
    call.end()
    await left.clock.advance()
    expect(left.runs).toEqual(['a@150', 'a@150'])
    right.table.dispose()
  })
})
