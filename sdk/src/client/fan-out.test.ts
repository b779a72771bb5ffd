import { describe, expect, test } from 'vitest'
import { setUpClient, until } from '../testing/client-fixture.ts'
import { failed, succeeded } from '../testing/fake-completions.ts'
import { JobFailedError } from './job-errors.ts'
import type { RunAllProgress } from './options.ts'

describe('runAll', () => {
  test('gives the results in the order of the parameters', async () => {
    await using it = await setUpClient()
    const results = it.offstage.runAll<number>('a', [10, 20, 30])
    await until(() => it.scheduler.watches[0]?.targets.size === 3)
    for (const id of ['job-2', 'job-3', 'job-1']) it.scheduler.end(id, succeeded(id))
    expect(await results).toEqual(['job-1', 'job-2', 'job-3'])
  })

  test('keeps no more jobs unfinished than it may, and none idle', async () => {
    await using it = await setUpClient()
    const list = Array.from({ length: 20 }, (_, n) => n)
    const results = it.offstage.runAll('a', list, { concurrency: 4 })
    const unfinished = () => [...it.scheduler.jobs.values()].filter((job) => !job.completion)
    const seen: number[] = []
    for (let ended = 0; ended < 20; ended += 1) {
      await until(() => it.scheduler.jobs.size === Math.min(20, ended + 4))
      seen.push(unfinished().length)
      const id = unfinished()[0]?.id ?? ''
      await until(() => it.scheduler.watches[0]?.targets.has(id) ?? false)
      it.scheduler.end(id, succeeded(ended))
    }
    expect(await results).toHaveLength(20)
    expect(Math.max(...seen)).toBe(4)
    expect(seen.slice(0, 17)).toEqual(Array(17).fill(4))
  })

  test('tells one progress for all', async () => {
    await using it = await setUpClient()
    const told: RunAllProgress[] = []
    const results = it.offstage.runAll('a', [1, 2], { onProgress: (all) => told.push(all) })
    await until(() => it.scheduler.watches[0]?.targets.size === 2)
    it.scheduler.report('job-1', 50, 1)
    it.scheduler.end('job-2', succeeded())
    it.scheduler.end('job-1', succeeded())
    await results
    expect(told).toEqual([
      { percent: 25, finished: 0, total: 2 },
      { percent: 75, finished: 1, total: 2 },
      { percent: 100, finished: 2, total: 2 },
    ])
  })

  test('rejects with the first failure, starts nothing more and cancels the rest', async () => {
    await using it = await setUpClient()
    const results = it.offstage.runAll('a', [1, 2, 3, 4, 5], { concurrency: 3 })
    await until(() => it.scheduler.watches[0]?.targets.size === 3)
    it.scheduler.end('job-2', failed('too far'))
    await expect(results).rejects.toThrow(JobFailedError)
    expect(it.scheduler.jobs.size).toBe(3)
    expect(it.scheduler.cancels.map(({ jobId }) => jobId).sort()).toEqual(['job-1', 'job-3'])
  })

  test('that is refused in part cancels what it started', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = ({ params }) =>
      String(params?.source?.value) === '2' ? { code: 8, reason: 'QUOTA_EXCEEDED' } : undefined
    await expect(it.offstage.runAll('a', [1, 2, 3])).rejects.toThrow('1 of 3 jobs were refused')
    expect(it.scheduler.cancels.map(({ jobId }) => jobId).sort()).toEqual(['job-1', 'job-2'])
  })

  test('is ended by its signal, and cancels what runs', async () => {
    await using it = await setUpClient()
    const abort = new AbortController()
    const results = it.offstage.runAll('a', [1, 2], { signal: abort.signal })
    await until(() => it.scheduler.watches[0]?.targets.size === 2)
    abort.abort(new Error('enough'))
    await expect(results).rejects.toThrow('enough')
    expect(it.scheduler.cancels).toHaveLength(2)
  })

  test('with parameters of one job that cannot be sent cancels what it started', async () => {
    await using it = await setUpClient()
    const list = Array.from({ length: 600 }, (_, n) => (n === 550 ? { n: 1n } : { n }))
    await expect(it.offstage.runAll('a', list)).rejects.toThrow('params.n: JSON has no bigint')
    expect(new Set(it.scheduler.cancels.map(({ jobId }) => jobId)).size).toBe(599)
  })

  test('that is aborted during its start, or whose options fail, leaves no job running', async () => {
    await using it = await setUpClient()
    const abort = new AbortController()
    const list = Array.from({ length: 6_000 }, (_, n) => n)
    const canceled = () => new Set(it.scheduler.cancels.map(({ jobId }) => jobId)).size
    const stopAt = (stop: () => void) => (_: unknown, index: number) => {
      if (index === 4_100) stop()
      return undefined
    }
    const aborting = { signal: abort.signal, each: stopAt(() => abort.abort(new Error('enough'))) }
    const options = { concurrency: 10_000 }
    await expect(it.offstage.runAll('a', list, { ...options, ...aborting })).rejects.toThrow(
      'enough',
    )
    expect(it.scheduler.jobs.size).toBeLessThan(6_000)
    expect(canceled()).toBe(it.scheduler.jobs.size)
    const fail = () => {
      throw new Error('my fault')
    }
    const failing = { ...options, each: stopAt(fail) }
    await expect(it.offstage.runAll('a', list, failing)).rejects.toThrow('my fault')
    expect(canceled()).toBe(it.scheduler.jobs.size)
  })

  test('that is given up cancels by their request ids the jobs whose start is not answered', async () => {
    await using it = await setUpClient()
    it.scheduler.holdsAnswers = true
    const abort = new AbortController()
    const results = it.offstage.runAll('a', [1, 2], { signal: abort.signal })
    await until(() => it.scheduler.bulkStarts.length === 1)
    it.scheduler.holdsAnswers = false
    abort.abort(new Error('enough'))
    await it.clock.advance(5_000)
    await expect(results).rejects.toThrow('enough')
    const asked = it.scheduler.bulkStarts[0]?.jobs.map(({ requestId }) => requestId)
    expect(it.scheduler.cancels.map(({ jobId }) => jobId).sort()).toEqual(asked?.sort())
  })

  test('of nothing is an empty list, and of jobs that end at once takes no stream', async () => {
    await using it = await setUpClient()
    expect(await it.offstage.runAll('a', [])).toEqual([])
    it.scheduler.onStart = () => succeeded(1)
    expect(await it.offstage.runAll('a', [1, 2, 3], { concurrency: 2 })).toEqual([1, 1, 1])
    expect(it.scheduler.watches).toEqual([])
  })

  test('refuses a concurrency out of range', async () => {
    await using it = await setUpClient()
    await expect(it.offstage.runAll('a', [1], { concurrency: 0 })).rejects.toThrow(RangeError)
  })
})
