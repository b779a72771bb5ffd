import { describe, expect, test } from 'vitest'
import { createValuesStore, type ReusableOptions, refreshReusableValues, reusable } from './mod.ts'

interface Run {
  readonly key: string
  readonly signal: AbortSignal | undefined
  readonly resolve: (value: { of: string }) => void
  readonly reject: (error: unknown) => void
}

type Params = [key: string, signal?: AbortSignal]

/** A function whose every run is settled by the test, and which rejects when it is told to stop. */
function controlled(options: ReusableOptions<Params, Promise<{ of: string }>> = {}) {
  const store = createValuesStore()
  const runs: Run[] = []
  const f = reusable(
    (key: string, signal?: AbortSignal) => {
      const { promise, resolve, reject } = Promise.withResolvers<{ of: string }>()
      signal?.addEventListener('abort', () => reject(signal.reason))
      runs.push({ key, signal, resolve, reject })
      return promise
    },
    { name: 'f', ...options, store },
  )
  return { f, runs, store, [Symbol.dispose]: () => store.close() }
}

describe('concurrent equal calls', () => {
  test('compute once and get the same object', async () => {
    using it = controlled()
    const calls = Array.from({ length: 1000 }, () => it.f('a'))
    const other = it.f('b')
    expect(it.runs.map((run) => run.key)).toEqual(['a', 'b'])
    it.runs[0]?.resolve({ of: 'a' })
    it.runs[1]?.resolve({ of: 'b' })
    const values = new Set(await Promise.all(calls))
    expect([...values]).toEqual([{ of: 'a' }])
    expect(await other).toEqual({ of: 'b' })
    expect(values.has(await it.f('a'))).toBe(true)
    expect(it.f.statistics()).toMatchObject({ misses: 2, joins: 999, hits: 1 })
  })

  test('all get the error, and the next call computes anew', async () => {
    using it = controlled()
    const calls = [it.f('a'), it.f('a')]
    it.runs[0]?.reject(new Error('no luck'))
    const settled = await Promise.allSettled(calls)
    expect(settled.map((call) => call.status)).toEqual(['rejected', 'rejected'])
    const again = it.f('a')
    expect(it.runs).toHaveLength(2)
    it.runs[1]?.resolve({ of: 'a' })
    expect(await again).toEqual({ of: 'a' })
    expect(it.f.statistics()).toMatchObject({ failures: 1, entries: 1 })
  })
})

describe('aborting', () => {
  test.each([0, 1])('caller %i who aborts does not abort the other', async (leaving) => {
    using it = controlled()
    const aborts = [new AbortController(), new AbortController()]
    const calls = aborts.map(({ signal }) => it.f('a', signal))
    aborts[leaving]?.abort(new Error('left'))
    await expect(calls[leaving]).rejects.toThrow('left')
    expect(it.runs[0]?.signal?.aborted).toBe(false)
    it.runs[0]?.resolve({ of: 'a' })
    expect(await calls[1 - leaving]).toEqual({ of: 'a' })
    expect(it.f.statistics()).toMatchObject({ misses: 1, entries: 1, aborted: 0 })
  })

  test('when all have aborted the computation is aborted, and the next call computes anew', async () => {
    using it = controlled()
    const aborts = [new AbortController(), new AbortController()]
    const calls = aborts.map(({ signal }) => it.f('a', signal))
    for (const [i, abort] of aborts.entries()) abort.abort(new Error(`left ${i}`))
    await Promise.allSettled(calls)
    expect(it.runs[0]?.signal?.reason).toEqual(new Error('left 1'))
    expect(it.f.statistics()).toMatchObject({ aborted: 1, failures: 0, entries: 0 })
    const again = it.f('a')
    it.runs[1]?.resolve({ of: 'a' })
    expect(await again).toEqual({ of: 'a' })
  })

  test('a function that finishes although aborted is not remembered', async () => {
    using it = controlled()
    const abort = new AbortController()
    const call = it.f('a', abort.signal)
    it.runs[0]?.signal?.addEventListener('abort', () => {}, { once: true })
    it.runs[0]?.resolve({ of: 'a' })
    abort.abort(new Error('left'))
    await expect(call).rejects.toThrow('left')
    expect(it.f.statistics()).toMatchObject({ aborted: 1, entries: 0 })
  })

  test('a caller without a signal keeps the computation going', async () => {
    using it = controlled()
    const abort = new AbortController()
    const leaving = it.f('a', abort.signal)
    const staying = it.f('a')
    abort.abort()
    await expect(leaving).rejects.toThrow('aborted')
    expect(it.runs[0]?.signal?.aborted).toBe(false)
    it.runs[0]?.resolve({ of: 'a' })
    expect(await staying).toEqual({ of: 'a' })
  })

  test('a caller with a signal may leave a computation begun without one', async () => {
    using it = controlled()
    const staying = it.f('a')
    const abort = new AbortController()
    const leaving = it.f('a', abort.signal)
    abort.abort(new Error('left'))
    await expect(leaving).rejects.toThrow('left')
    it.runs[0]?.resolve({ of: 'a' })
    expect(await staying).toEqual({ of: 'a' })
  })

  test('a signal that has fired already starts nothing, whatever is remembered', async () => {
    using it = controlled()
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(it.f('a', gone)).rejects.toThrow('gone')
    expect(it.runs).toHaveLength(0)
  })

  test('a caller who aborts while the function runs its first part leaves too', async () => {
    using store = createValuesStore()
    const abort = new AbortController()
    let told: AbortSignal | undefined
    const f = reusable(
      (signal?: AbortSignal) => {
        told = signal
        abort.abort(new Error('left'))
        return new Promise<number>(() => {})
      },
      { name: 'f', store },
    )
    await expect(f(abort.signal)).rejects.toThrow('left')
    expect(told?.aborted).toBe(true)
    expect(f.statistics()).toMatchObject({ aborted: 1, failures: 0, entries: 0 })
  })

  test('a synchronous function throws the reason of a signal that has fired', () => {
    using store = createValuesStore()
    const next = reusable((n: number, _signal?: AbortSignal) => n + 1, { name: 'next', store })
    next(1)
    expect(() => next(1, AbortSignal.abort(new Error('gone')))).toThrow('gone')
  })

  test('a signal fired after the answer aborts nothing', async () => {
    using it = controlled()
    const abort = new AbortController()
    const call = it.f('a', abort.signal)
    it.runs[0]?.resolve({ of: 'a' })
    await call
    abort.abort()
    expect(it.runs[0]?.signal?.aborted).toBe(false)
    expect(it.f.statistics()).toMatchObject({ aborted: 0, entries: 1 })
  })
})

describe('a refresh during a computation', () => {
  const scopes: [string, Parameters<typeof refreshReusableValues>[0]][] = [
    ['of all', undefined],
    ['by function', { function: 'f' }],
    ['by parameters', { function: 'f', params: ['a'] }],
    ['by tag', { tag: 't' }],
  ]
  test.each(scopes)(
    '%s means its result is not remembered, nor joined any more',
    async (_, target) => {
      using it = controlled({ tags: () => ['t'] })
      const before = it.f('a')
      await refreshReusableValues(target, { store: it.store })
      const after = it.f('a')
      expect(it.runs).toHaveLength(2)
      it.runs[1]?.resolve({ of: 'new' })
      expect(await after).toEqual({ of: 'new' })
      it.runs[0]?.resolve({ of: 'old' })
      expect(await before).toEqual({ of: 'old' })
      expect(await it.f('a')).toEqual({ of: 'new' })
      expect(it.f.statistics()).toMatchObject({ outdated: 1, entries: 1 })
    },
  )

  test('of something else lets it be remembered', async () => {
    using it = controlled()
    const call = it.f('a')
    await refreshReusableValues({ function: 'f', params: ['b'] }, { store: it.store })
    await refreshReusableValues({ function: 'g' }, { store: it.store })
    await refreshReusableValues({ tag: 't' }, { store: it.store })
    it.runs[0]?.resolve({ of: 'a' })
    await call
    expect(it.f.statistics()).toMatchObject({ outdated: 0, entries: 1 })
  })

  test('from inside a synchronous function means its result is not remembered', () => {
    using store = createValuesStore()
    let runs = 0
    const f = reusable(
      () => {
        if (++runs === 1) void refreshReusableValues(undefined, { store })
        return runs
      },
      { name: 'f', store },
    )
    expect([f(), f(), f()]).toEqual([1, 2, 2])
  })
})
