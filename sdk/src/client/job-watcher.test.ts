import { describe, expect, test } from 'vitest'
import { setUpClient, until } from '../testing/client-fixture.ts'
import { succeeded } from '../testing/fake-completions.ts'
import type { JobMessage, Progress } from './events.ts'

const sequences = (messages: readonly JobMessage[]) => messages.map(({ sequence }) => sequence)

describe('push', () => {
  test('takes one stream for any number of jobs and waits', async () => {
    await using it = await setUpClient()
    const jobs = await it.offstage.startJobs('a', Array.from({ length: 1500 }))
    const done = Promise.all([...jobs, ...jobs].map((job) => job.value()))
    await until(() => it.scheduler.watches[0]?.targets.size === 1500)
    for (const job of jobs) it.scheduler.end(job.id, succeeded(job.id))
    expect(await done).toEqual([...jobs, ...jobs].map(({ id }) => id))
    expect(it.scheduler.watches).toHaveLength(1)
    expect(it.scheduler.watches[0]?.added).toHaveLength(1500)
  })

  test('gives progress and messages in order, without gaps or repeats, over a broken stream', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const messages: JobMessage[] = []
    const progress: number[] = []
    const done = job.waitForCompletion({
      onMessage: (message) => messages.push(message),
      onProgress: ({ percent }) => progress.push(percent),
    })
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.say(job.id, 'one')
    it.scheduler.say(job.id, 'two')
    it.scheduler.report(job.id, 10, 1)
    await until(() => progress.length === 1)
    it.scheduler.breakWatches()
    await until(() => it.scheduler.watchesOpen === 0)
    it.scheduler.say(job.id, 'three')
    it.scheduler.report(job.id, 50, 2)
    await until(() => it.clock.pendingTimers === 2)
    await it.clock.advance(100)
    await until(() => progress.length === 2)
    it.scheduler.say(job.id, 'four')
    it.scheduler.end(job.id, succeeded('end'))
    expect(sequences((await done).messages)).toEqual([1, 2, 3, 4])
    expect(sequences(messages)).toEqual([1, 2, 3, 4])
    expect(progress).toEqual([10, 50])
    expect(it.scheduler.watches[1]?.added).toEqual([{ jobId: job.id, afterSequence: 2 }])
  })

  test('that left out messages is filled up from the scheduler before the later ones', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const messages: JobMessage[] = []
    const done = job.waitForCompletion({ onMessage: (message) => messages.push(message) })
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.pushes = false
    for (const text of ['one', 'two', 'three', 'four']) it.scheduler.say(job.id, text)
    it.scheduler.pushes = true
    it.scheduler.say(job.id, 'five')
    it.scheduler.end(job.id, succeeded())
    expect(sequences((await done).messages)).toEqual([1, 2, 3, 4, 5])
    expect(sequences(messages)).toEqual([1, 2, 3, 4, 5])
  })

  test('drops progress that is older than what was told', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const told: Progress[] = []
    const done = job.waitForCompletion({ onProgress: (progress) => told.push(progress) })
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.report(job.id, 30, 3)
    it.scheduler.report(job.id, 20, 2)
    it.scheduler.end(job.id, succeeded())
    await done
    expect(told).toMatchObject([{ percent: 30, text: 'at 30', revision: 3 }])
  })

  test('tells a wait that joins late what was told before', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const first = job.waitForCompletion()
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.say(job.id, 'one')
    it.scheduler.report(job.id, 10, 1)
    const heard: unknown[] = []
    const listen = {
      onProgress: () => heard.push('progress'),
      onMessage: () => heard.push('message'),
    }
    const early = job.waitForCompletion(listen)
    await until(() => heard.length === 2)
    const late = job.waitForCompletion(listen)
    it.scheduler.end(job.id, succeeded())
    await Promise.all([first, early, late])
    expect(heard).toEqual(['message', 'progress', 'message', 'progress'])
  })

  test('ends its stream in order when nothing has been waited for in a while', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const done = job.value()
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.end(job.id, succeeded())
    await done
    expect(it.scheduler.watchesOpen).toBe(1)
    await it.clock.advance(10_000)
    await until(() => it.scheduler.watchesOpen === 0)
    const again = await it.offstage.startJob('a')
    const more = again.value()
    await until(() => it.scheduler.watches[1]?.targets.has(again.id) ?? false)
    it.scheduler.end(again.id, succeeded(2))
    expect(await more).toBe(2)
  })
})

describe('the poll', () => {
  test('finds what was not pushed, with the messages', async () => {
    await using it = await setUpClient()
    it.scheduler.pushes = false
    const job = await it.offstage.startJob('a')
    const messages: JobMessage[] = []
    const progress: number[] = []
    const done = job.waitForCompletion({
      onMessage: (message) => messages.push(message),
      onProgress: ({ percent }) => progress.push(percent),
    })
    it.scheduler.say(job.id, 'one')
    it.scheduler.report(job.id, 10, 1)
    await it.clock.advance(1000)
    await until(() => progress.length === 1)
    expect(sequences(messages)).toEqual([1])
    for (const text of ['two', 'three', 'four', 'five']) it.scheduler.say(job.id, text)
    it.scheduler.end(job.id, succeeded('end'))
    await it.clock.advance(1400)
    expect(await done).toMatchObject({ state: 'succeeded', result: 'end' })
    expect(sequences(messages)).toEqual([1, 2, 3, 4, 5])
  })

  test('asks after many jobs in one call, and stops with the last wait', async () => {
    await using it = await setUpClient()
    it.scheduler.pushes = false
    const jobs = await it.offstage.startJobs('a', Array.from({ length: 30 }))
    const answer = it.offstage.waitAll(jobs)
    for (const job of jobs) it.scheduler.end(job.id, succeeded())
    await it.clock.advance(1000)
    expect(await answer).toMatchObject({ satisfied: true })
    expect(it.scheduler.waits.map(({ jobIds }) => jobIds.length)).toEqual([30])
  })

  test('leaves progress and messages to the push while that works', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const messages: string[] = []
    const done = job.waitForCompletion({ onMessage: ({ text }) => messages.push(text) })
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.say(job.id, 'one')
    await until(() => messages.length === 1)
    await it.clock.advance(1000)
    await until(() => it.scheduler.waits.length === 1)
    it.scheduler.end(job.id, succeeded())
    await done
    expect(it.scheduler.reads).toBe(0)
  })

  test('rests while the scheduler says that it compares what it pushed, and goes on when it falls silent', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const heard: number[] = []
    const onProgress = ({ percent }: Progress) => heard.push(percent)
    const done = job.waitForCompletion({ onProgress })
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    // What the client has heard of the job shows that the beat before it was heard, too.
    const beat = async (revision: number) => {
      it.scheduler.beat()
      it.scheduler.report(job.id, revision, revision)
      await until(() => heard.at(-1) === revision)
    }
    for (let round = 1; round <= 10; round += 1) {
      await beat(round)
      await it.clock.advance(5_000)
    }
    expect(it.scheduler.waits).toEqual([])
    it.scheduler.pushes = false
    it.scheduler.end(job.id, succeeded('end'))
    await it.clock.advance(30_000)
    expect(await done).toMatchObject({ result: 'end' })
  })

  test('goes on while the scheduler is away', async () => {
    await using it = await setUpClient()
    it.scheduler.pushes = false
    const job = await it.offstage.startJob('a')
    const done = job.value()
    it.scheduler.end(job.id, succeeded('there'))
    it.scheduler.refusals = [{ code: 14, reason: 'DATABASE_UNAVAILABLE' }]
    await it.clock.advance(1000)
    await until(() => it.scheduler.refusals.length === 0)
    await it.clock.advance(1400)
    expect(await done).toBe('there')
  })

  test('ends the wait where the caller has no rights', async () => {
    await using it = await setUpClient()
    it.scheduler.pushes = false
    const job = await it.offstage.startJob('a')
    const done = expect(job.value()).rejects.toMatchObject({ reason: 'PERMISSION_DENIED' })
    it.scheduler.refusals = [{ code: 7, reason: 'PERMISSION_DENIED' }]
    await it.clock.advance(1000)
    await done
  })
})
