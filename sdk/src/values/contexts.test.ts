import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  createCallScope,
  createValuesSession,
  createValuesStore,
  type Lifetime,
  type ReusableOptions,
  reusable,
  runInCallScope,
  runWithValuesIdentity,
} from './mod.ts'

function counter(lifetime: Lifetime, options: ReusableOptions<[string?], number> = {}) {
  const store = createValuesStore()
  let runs = 0
  const f = reusable((_key?: string) => ++runs, { name: 'f', lifetime, ...options, store })
  return { f, store, [Symbol.dispose]: () => store.close() }
}

describe('lifetime call', () => {
  test('a value lives until its scope ends', () => {
    using it = counter('call')
    expect(runInCallScope(() => [it.f('a'), it.f('a')])).toEqual([1, 1])
    expect(it.f.statistics()).toMatchObject({ entries: 0, bytes: 0, drops: { closed: 1 } })
    expect(runInCallScope(() => it.f('a'))).toBe(2)
  })

  test('the scope of an asynchronous callback ends when its promise settles, well or badly', async () => {
    using it = counter('call')
    const values = await runInCallScope(async () => {
      const first = it.f()
      await nextTurn()
      return [first, it.f(), it.f.statistics().entries]
    })
    expect(values).toEqual([1, 1, 1])
    expect(it.f.statistics().entries).toBe(0)
    const failed = runInCallScope(async () => {
      it.f()
      await nextTurn()
      throw new Error('no luck')
    })
    await expect(failed).rejects.toThrow('no luck')
    expect(it.f.statistics().entries).toBe(0)
  })

  test('a thenable that starts its work when awaited does it in the scope', async () => {
    using it = counter('call')
    const values = await runInCallScope(() => ({
      // biome-ignore lint/suspicious/noThenProperty: what query builders are
      then: (done: (values: number[]) => void) => done([it.f(), it.f()]),
    }))
    expect(values).toEqual([1, 1])
    expect(it.f.statistics()).toMatchObject({ outsideScope: 0, entries: 0 })
  })

  test('a callback that throws ends its scope', () => {
    using it = counter('call')
    const failing = () =>
      runInCallScope(() => {
        it.f()
        throw new Error('no luck')
      })
    expect(failing).toThrow('no luck')
    expect(it.f.statistics().entries).toBe(0)
  })

  test('outside of any scope the function runs, nothing is remembered, and it is counted', () => {
    using it = counter('call')
    expect([it.f(), it.f()]).toEqual([1, 2])
    expect(it.f.statistics()).toMatchObject({ outsideScope: 2, misses: 0, entries: 0 })
  })

  test('scopes running at the same time do not see each other', async () => {
    using it = counter('call')
    const scope = () =>
      runInCallScope(async () => {
        const first = it.f('a')
        await nextTurn()
        return [first, it.f('a')]
      })
    expect(await Promise.all([scope(), scope()])).toEqual([
      [1, 1],
      [2, 2],
    ])
  })

  test('a scope inside a scope starts empty and leaves the outer one as it was', () => {
    using it = counter('call')
    const values = runInCallScope(() => [it.f(), runInCallScope(() => it.f()), it.f()])
    expect(values).toEqual([1, 2, 1])
  })

  test('what a closed scope left running remembers nothing', async () => {
    using it = counter('call')
    let go = () => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const late = runInCallScope(() => ({
      values: gate.then(() => [it.f(), it.f()]),
    })).values
    go()
    expect(await late).toEqual([1, 2])
    expect(it.f.statistics()).toMatchObject({ outsideScope: 2, entries: 0 })
  })

  test('a computation that outlives its scope reaches its caller and is not remembered', async () => {
    using store = createValuesStore()
    const { promise, resolve } = Promise.withResolvers<string>()
    const f = reusable(() => promise, { name: 'f', lifetime: 'call', store })
    const scope = createCallScope()
    const pending = scope.run(() => f())
    scope.close()
    resolve('done')
    expect(await pending).toBe('done')
    expect(f.statistics()).toMatchObject({ entries: 0, outdated: 1 })
  })

  test('an explicit scope can be entered again until it is closed, twice if need be', () => {
    using it = counter('call')
    const scope = createCallScope()
    expect([scope.run(() => it.f()), scope.run(() => it.f())]).toEqual([1, 1])
    scope.close()
    scope.close()
    expect(scope.run(() => it.f())).toBe(2)
    expect(it.f.statistics()).toMatchObject({ outsideScope: 1 })
  })
})

describe('lifetime session', () => {
  test('without a session of its own the code uses the one of the process, in any scope', () => {
    using it = counter('session')
    expect([it.f(), runInCallScope(() => it.f()), it.f()]).toEqual([1, 1, 1])
  })

  test('sessions are apart, whatever their names, and closing one drops its values alone', () => {
    using it = counter('session')
    using ann = createValuesSession({ name: 'same' })
    const bob = createValuesSession({ name: 'same' })
    expect([ann.run(() => it.f()), bob.run(() => it.f()), it.f()]).toEqual([1, 2, 3])
    bob.close()
    bob.close()
    expect([ann.run(() => it.f()), it.f(), it.f.statistics().entries]).toEqual([1, 3, 2])
    expect(bob.run(() => it.f())).toBe(4)
    expect(it.f.statistics()).toMatchObject({ entries: 2, outsideScope: 1 })
  })

  test('a function bound to a session keeps its values there, whoever calls', () => {
    using session = createValuesSession()
    using it = counter('session', { session })
    using other = createValuesSession()
    expect([it.f(), other.run(() => it.f())]).toEqual([1, 1])
    session.close()
    expect(it.f.statistics().entries).toBe(0)
  })
})

describe.each<Lifetime>(['call', 'session'])('identity within lifetime %s', (lifetime) => {
  test('users and the privileged mode are apart', () => {
    using it = counter(lifetime)
    runInCallScope(() => {
      const plain = it.f()
      const ann = runWithValuesIdentity({ user: 'ann' }, () => it.f())
      const bob = runWithValuesIdentity({ user: 'bob' }, () => it.f())
      const raised = runWithValuesIdentity({ user: 'ann', privileged: true }, () => it.f())
      expect(new Set([plain, ann, bob, raised]).size).toBe(4)
      expect(runWithValuesIdentity({ user: 'ann' }, () => it.f())).toBe(ann)
      expect(it.f()).toBe(plain)
    })
  })

  test('the mode is inherited inwards and ends with the callback', () => {
    using it = counter(lifetime)
    runInCallScope(() => {
      const plain = it.f()
      runWithValuesIdentity({ privileged: true }, () => {
        const raised = it.f()
        expect(raised).not.toBe(plain)
        expect(runWithValuesIdentity({ user: undefined }, () => it.f())).toBe(raised)
        expect(runWithValuesIdentity({ privileged: false }, () => it.f())).toBe(plain)
      })
      expect(it.f()).toBe(plain)
    })
  })

  test('the user is inherited inwards', () => {
    using it = counter(lifetime)
    runInCallScope(() => {
      runWithValuesIdentity({ user: 'ann' }, () => {
        const ann = it.f()
        const raised = runWithValuesIdentity({ privileged: true }, () => it.f())
        runWithValuesIdentity({ user: 'bob', privileged: true }, () => {
          expect(it.f()).not.toBe(raised)
        })
        expect(runWithValuesIdentity({ privileged: false }, () => it.f())).toBe(ann)
      })
    })
  })

  test('sessions are apart, for the same user too', () => {
    using it = counter(lifetime)
    using one = createValuesSession({ user: 'ann' })
    using other = createValuesSession({ user: 'ann' })
    runInCallScope(() => {
      const value = one.run(() => it.f())
      expect(other.run(() => it.f())).not.toBe(value)
      expect(one.run(() => it.f())).toBe(value)
    })
  })

  test('user names that look alike do not meet', () => {
    using it = counter(lifetime)
    runInCallScope(() => {
      const names = ['', '=', ' ', 'undefined', 'true', '=ann', 'ann', undefined]
      const values = names.map((user) => runWithValuesIdentity({ user }, () => it.f()))
      expect(new Set(values).size).toBe(names.length)
    })
  })
})

test('a session runs as its user unless told otherwise', () => {
  using it = counter('session')
  using session = createValuesSession({ user: 'ann', privileged: false })
  const ann = session.run(() => it.f())
  const raised = session.run(() => it.f(), { privileged: true })
  expect(raised).not.toBe(ann)
  const within = () => runWithValuesIdentity({ session, user: 'ann' }, () => it.f())
  expect(runInCallScope(within)).toBe(ann)
})

test('a session closed from inside a computation does not remember its result', () => {
  using store = createValuesStore()
  const session = createValuesSession()
  let runs = 0
  const f = reusable(
    () => {
      session.close()
      return ++runs
    },
    { name: 'f', store },
  )
  expect(session.run(() => f())).toBe(1)
  expect(f.statistics()).toMatchObject({ entries: 0, outdated: 1 })
})

test('values survive garbage collection, and a user who left no values leaves no trace', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  using it = counter('session')
  using session = createValuesSession()
  const users = Array.from({ length: 100 }, (_, i) => `user${i}`)
  for (const user of users) session.run(() => it.f(), { user })
  collectGarbage()
  await nextTurn()
  for (const [i, user] of users.entries()) expect(session.run(() => it.f(), { user })).toBe(i + 1)
  expect(session.partitions.size).toBe(100)
  await it.f.refresh()
  it.f() // the function remembers where it was called last
  for (let turn = 0; session.partitions.size > 0 && turn < 1000; turn++) {
    collectGarbage()
    await nextTurn()
  }
  expect(session.partitions.size).toBe(0)
})
