import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createLoop, type LoopOptions, LoopTimeoutError } from './loop.ts'

const HOUR_MS = 3_600_000

/** A loop that runs only when woken, unless told otherwise. */
function setup(options: Partial<LoopOptions> = {}) {
  const errors: unknown[] = []
  const gates: PromiseWithResolvers<void>[] = []
  const signals: AbortSignal[] = []
  const loop = createLoop({
    name: 'sweep',
    everyMs: HOUR_MS,
    timeoutMs: HOUR_MS,
    onError: (error) => errors.push(error),
    run: (signal) => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      signals.push(signal)
      return gate.promise
    },
    ...options,
  })
  const running = (count: number) => expect.poll(() => gates.length).toBe(count)
  return { loop, errors, gates, signals, running, [Symbol.asyncDispose]: loop.stop }
}

describe('a loop', () => {
  test('runs again and again without being woken', async () => {
    let runs = 0
    const enough = Promise.withResolvers<void>()
    await using it = setup({
      everyMs: 1,
      run: async () => {
        runs += 1
        if (runs === 3) enough.resolve()
      },
    })
    await it.loop.start()
    await enough.promise
  })

  test('runs at once when woken', async () => {
    await using it = setup()
    await it.loop.start()
    it.loop.wake()
    await it.running(1)
    it.gates[0]?.resolve()
  })

  test('remembers a wake from before its start', async () => {
    await using it = setup()
    it.loop.wake()
    await it.loop.start()
    await it.running(1)
    it.gates[0]?.resolve()
  })

  test('runs once more, and only once, for all wakes during a run', async () => {
    await using it = setup()
    await it.loop.start()
    it.loop.wake()
    await it.running(1)
    for (let n = 0; n < 5; n += 1) it.loop.wake()
    await turn()
    expect(it.gates).toHaveLength(1)
    it.gates[0]?.resolve()
    await it.running(2)
    it.gates[1]?.resolve()
    for (let n = 0; n < 10; n += 1) await turn()
    expect(it.gates).toHaveLength(2)
  })

  test('that wakes itself leaves the event loop to others', async () => {
    const spinning = Promise.withResolvers<void>()
    let runs = 0
    await using it = setup({
      run: async () => {
        runs += 1
        if (runs === 2) spinning.resolve()
        it.loop.wake()
      },
    })
    it.loop.wake()
    await it.loop.start()
    await spinning.promise
    // Never fires where the loop keeps the event loop to itself: the test would time out.
    const runsBefore = await new Promise<number>((resolve) => setTimeout(() => resolve(runs), 1))
    expect(runsBefore).toBeGreaterThanOrEqual(2)
  })

  test('goes on after a run that failed, and reports it', async () => {
    await using it = setup()
    it.loop.wake()
    await it.loop.start()
    await it.running(1)
    it.gates[0]?.reject(new Error('broken'))
    await expect.poll(() => it.errors.map(String)).toEqual(['Error: broken'])
    it.loop.wake()
    await it.running(2)
    it.gates[1]?.resolve()
  })

  test('aborts a run that takes too long, reports it once, and goes on', async () => {
    let runs = 0
    await using it = setup({
      timeoutMs: 5,
      run: (signal) => {
        runs += 1
        if (runs > 1) return Promise.resolve()
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        })
      },
    })
    it.loop.wake()
    await it.loop.start()
    await expect.poll(() => it.errors.length).toBe(1)
    it.loop.wake()
    await expect.poll(() => runs).toBe(2)
    expect(it.errors).toEqual([new LoopTimeoutError('sweep', 5)])
  })

  test('abandons a run that ignores its aborted signal', async () => {
    const hung = Promise.withResolvers<void>()
    const signals: AbortSignal[] = []
    await using it = setup({
      timeoutMs: 5,
      run: async (signal) => {
        signals.push(signal)
        if (signals.length === 1) await hung.promise
      },
    })
    it.loop.wake()
    await it.loop.start()
    await expect.poll(() => signals.length).toBe(1)
    it.loop.wake()
    await expect.poll(() => signals.length).toBe(2)
    expect(signals[0]?.aborted).toBe(true)
    hung.reject(new Error('too late to matter'))
    await it.loop.stop()
    expect(it.errors).toEqual([new LoopTimeoutError('sweep', 5)])
  })
})

describe('stopping a loop', () => {
  test('aborts the run, waits for its end, and reports nothing', async () => {
    const it = setup()
    it.loop.wake()
    await it.loop.start()
    await it.running(1)
    let stopped = false
    const stopping = it.loop.stop().then(() => {
      stopped = true
    })
    await expect.poll(() => it.signals[0]?.aborted).toBe(true)
    expect(stopped).toBe(false)
    it.gates[0]?.reject(it.signals[0]?.reason)
    await stopping
    expect(it.errors).toEqual([])
  })

  test('settles although a run ignores its signal', async () => {
    const it = setup({ timeoutMs: 20 })
    it.loop.wake()
    await it.loop.start()
    await it.running(1)
    await it.loop.stop()
    expect(it.signals[0]?.aborted).toBe(true)
  })

  test('between runs ends it at once, and later wakes do nothing', async () => {
    const it = setup()
    await it.loop.start()
    await it.loop.stop()
    it.loop.wake()
    await turn()
    expect(it.gates).toHaveLength(0)
  })
})
