import { describe, expect, test } from 'vitest'
import { setUpClient, until } from '../testing/client-fixture.ts'
import { canceled, failed, succeeded } from '../testing/fake-completions.ts'
import type { JobHandle } from './job-handle.ts'

const ids = (jobs: readonly JobHandle[]) => jobs.map(({ id }) => id)

async function setUp(count: number) {
  const it = await setUpClient()
  const jobs = await it.offstage.startJobs('a', Array.from({ length: count }))
  const watched = () => until(() => it.scheduler.watches[0]?.targets.size === count)
  return { ...it, jobs, watched }
}

describe('waiting for all', () => {
  test('ends with the last job, whatever became of each, and throws for none', async () => {
    await using it = await setUp(3)
    const answer = it.offstage.waitAll(it.jobs)
    await it.watched()
    it.scheduler.end('job-1', succeeded())
    it.scheduler.end('job-2', failed('no'))
    it.scheduler.end('job-3', canceled())
    const { satisfied, finished, unfinished } = await answer
    expect(satisfied).toBe(true)
    expect(unfinished).toEqual([])
    expect(finished.map(({ status }) => status)).toEqual(['RanToCompletion', 'Faulted', 'Canceled'])
    expect(finished[1]?.error?.brief).toBe('no')
  })

  test('answers with the state of each when the time is up', async () => {
    await using it = await setUp(3)
    const answer = it.offstage.waitAll(it.jobs, { timeoutMs: 300 })
    await it.watched()
    it.scheduler.end('job-2', succeeded())
    it.scheduler.pushes = false
    it.scheduler.setState('job-3', 3)
    await it.clock.advance(300)
    const { satisfied, finished, unfinished } = await answer
    expect(satisfied).toBe(false)
    expect(ids(finished)).toEqual(['job-2'])
    expect(unfinished.map(({ id, state }) => [id, state])).toEqual([
      ['job-1', 'queued'],
      ['job-3', 'running'],
    ])
  })

  test('answers soon after the time is up, though the scheduler hangs', async () => {
    await using it = await setUp(1)
    it.scheduler.holdsAnswers = true
    const beforeMs = performance.now()
    const answer = await it.offstage.waitAll(it.jobs, { timeoutMs: 0 })
    expect(answer).toMatchObject({ satisfied: false })
    expect(performance.now() - beforeMs).toBeLessThan(3_000)
  })

  test('keeps what was read of large results, though the rest cannot be read now', async () => {
    await using it = await setUp(3)
    for (const { id } of it.jobs) it.scheduler.end(id, succeeded())
    it.scheduler.pushes = false
    it.scheduler.endsPerAnswer = 1
    it.scheduler.refusals = [undefined, { code: 14, reason: 'DATABASE_UNAVAILABLE' }]
    const first = await it.offstage.waitAll(it.jobs, { timeoutMs: 0 })
    expect(ids(first.finished)).toEqual(['job-1'])
    const second = await it.offstage.waitAll(it.jobs, { timeoutMs: 0 })
    expect(second.satisfied).toBe(true)
  })

  test('of none is satisfied', async () => {
    await using it = await setUp(0)
    expect(await it.offstage.waitAll([])).toMatchObject({ satisfied: true })
    expect(await it.offstage.waitAny([])).toMatchObject({ satisfied: true })
  })

  test('is ended by its signal', async () => {
    await using it = await setUp(2)
    const abort = new AbortController()
    const answer = it.offstage.waitAll(it.jobs, { signal: abort.signal })
    await it.watched()
    abort.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
  })
})

describe('waiting for any', () => {
  test('ends with the first, and at once where one had ended', async () => {
    await using it = await setUp(3)
    const answer = it.offstage.waitAny(it.jobs)
    await it.watched()
    it.scheduler.end('job-2', failed('no'))
    const { finished, unfinished } = await answer
    expect(ids(finished)).toEqual(['job-2'])
    expect(ids(unfinished)).toEqual(['job-1', 'job-3'])
    expect(ids((await it.offstage.waitAny(it.jobs)).finished)).toEqual(['job-2'])
  })

  test('again and again learns each end by push, and sends nothing between', async () => {
    await using it = await setUp(4)
    let left: readonly JobHandle[] = it.jobs
    const handedOut: string[] = []
    const done = (async () => {
      while (left.length > 0) {
        const answer = await it.offstage.waitAny(left)
        handedOut.push(...ids(answer.finished))
        left = answer.unfinished
      }
    })()
    await it.watched()
    for (const id of ['job-3', 'job-1', 'job-4', 'job-2']) {
      it.scheduler.end(id, succeeded())
      await until(() => handedOut.includes(id))
    }
    await done
    expect(handedOut).toEqual(['job-3', 'job-1', 'job-4', 'job-2'])
    // The clock never moved, so nothing was polled.
    expect(it.scheduler.waits).toEqual([])
    expect(it.scheduler.watches.flatMap(({ requests }) => requests)).toMatchObject([
      { add: [{}, {}, {}, {}], removeJobIds: [] },
    ])
  })

  test('after a wait that was given up is pushed, and hears the progress so far again', async () => {
    await using it = await setUp(1)
    const [job] = it.jobs
    for (const turn of ['the same turn', 'a later turn']) {
      const abort = new AbortController()
      const given = job?.waitForCompletion({ signal: abort.signal })
      await until(() => it.scheduler.watches[0]?.targets.size === 1)
      it.scheduler.report('job-1', 10, 1)
      abort.abort(new Error(turn))
      await expect(given).rejects.toThrow(turn)
      if (turn === 'a later turn') await until(() => it.scheduler.watches[0]?.targets.size === 0)
      const percents: number[] = []
      const again = new AbortController()
      const second = job?.waitForCompletion({
        signal: again.signal,
        onProgress: ({ percent }) => percents.push(percent),
      })
      await until(() => percents.length > 0)
      again.abort()
      await expect(second).rejects.toThrow()
      expect(percents).toEqual([10])
    }
    const last = it.offstage.waitAny(it.jobs)
    it.scheduler.end('job-1', succeeded())
    expect((await last).satisfied).toBe(true)
    expect(it.scheduler.waits).toEqual([])
  })
})

describe('as completed', () => {
  test('hands out each job as it ends, until none is left, with one target for each', async () => {
    await using it = await setUp(4)
    const handedOut: string[] = []
    const done = (async () => {
      for await (const { id } of it.offstage.asCompleted(it.jobs)) handedOut.push(id)
    })()
    await it.watched()
    for (const id of ['job-3', 'job-1', 'job-4', 'job-2']) {
      it.scheduler.end(id, succeeded())
      await until(() => handedOut.includes(id))
    }
    await done
    expect(handedOut).toEqual(['job-3', 'job-1', 'job-4', 'job-2'])
    expect(it.scheduler.watches.flatMap(({ added }) => added)).toHaveLength(4)
  })

  test('ends when the time is up, handing out what was not pushed first', async () => {
    await using it = await setUp(2)
    it.scheduler.pushes = false
    const handedOut: string[] = []
    const done = (async () => {
      for await (const { id } of it.offstage.asCompleted(it.jobs, { timeoutMs: 400 })) {
        handedOut.push(id)
      }
    })()
    await it.watched()
    it.scheduler.end('job-2', succeeded())
    await it.clock.advance(400)
    await done
    expect(handedOut).toEqual(['job-2'])
  })

  test('stops listening when the loop is left', async () => {
    await using it = await setUp(2)
    it.scheduler.end('job-1', succeeded())
    for await (const job of it.offstage.asCompleted(it.jobs)) {
      expect(job.id).toBe('job-1')
      break
    }
    await until(() => it.scheduler.watches[0]?.targets.has('job-2') === false)
  })

  test('throws the reason of its signal', async () => {
    await using it = await setUp(1)
    const abort = new AbortController()
    const next = it.offstage.asCompleted(it.jobs, { signal: abort.signal }).next()
    await it.watched()
    abort.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
    const late = it.offstage.asCompleted(it.jobs, { signal: abort.signal })
    await expect(late.next()).rejects.toThrow('enough')
  })
})
