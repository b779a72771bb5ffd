import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineJob } from '../jobs/definition.ts'
import { setUpClient } from '../testing/client-fixture.ts'
import { canceled, succeeded } from '../testing/fake-completions.ts'
import { addressOf, scopeOf } from '../testing/place-names.ts'
import type { JobHandle } from './job-handle.ts'
import { Offstage } from './offstage.ts'

const report = defineJob({
  method: 'reports.delays',
  params: z.object({ dataSet: z.string(), top: z.number().int().default(20) }),
  result: z.object({ flights: z.number() }),
  run: async () => ({ flights: 1 }),
})

const identity = {
  jobId: 'parent-1',
  owner: 'ada',
  token: 't0ken',
  namespace: 'blue',
  scope: scopeOf(1),
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
}

test('a token that nobody reads is warned of once, and only where there is one', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  for (const token of ['', 'abc', 'abc']) {
    await using _it = await setUpClient({ token })
  }
  // Warnings are emitted in a turn of their own.
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', onWarning)
  expect(warnings).toMatchObject([{ name: 'OffstageWarning', code: 'TOKEN_NOT_READ' }])
  expect(warnings[0]?.message).toContain('the token is not read')
})

describe('a scheduler that cannot be reached', () => {
  test('is told by connect at once, with its address and the variable that sets it', async () => {
    const { scheduler } = await gone()
    const error = await Offstage.connect({ scheduler }).catch((thrown) => thrown)
    expect(error).toMatchObject({ reason: 'SERVICE_UNREACHABLE' })
    expect(error.message).toContain(scheduler)
    expect(error.message).toContain('OFFSTAGE_SCHEDULER')
  })

  test('is told by starts as well, single and bulk', async () => {
    await using it = await setUpClient()
    await it.scheduler[Symbol.asyncDispose]()
    const unreachable = { reason: 'SERVICE_UNREACHABLE', message: expect.stringContaining('7') }
    await Promise.all([
      expect(it.offstage.startJob('a')).rejects.toMatchObject(unreachable),
      expect(it.offstage.startJobs('a', [1, 2])).rejects.toMatchObject(unreachable),
    ])
  })
})

describe('the client of a job', () => {
  test('starts children as the owner of the job', async () => {
    await using it = await setUpClient()
    await using client = it.offstage.forJob({ ...identity, onWaiting: () => {} })
    await client.startJob('child')
    expect(it.scheduler.starts[0]).toMatchObject({
      namespace: 'blue',
      job: { parentJobId: 'parent-1', scope: scopeOf(1) },
    })
    const metadata = it.scheduler.metadata.at(-1)
    expect(metadata?.get('authorization')).toEqual(['Bearer t0ken'])
    expect(metadata?.get('offstage-user')).toEqual(['ada'])
    expect(metadata?.get('traceparent')).toEqual([identity.traceparent])
  })

  test('says when the job waits and when it goes on, once for waits at the same time', async () => {
    await using it = await setUpClient()
    const heard: boolean[] = []
    await using client = it.offstage.forJob({ ...identity, onWaiting: (w) => heard.push(w) })
    const [first, second] = await client.startJobs('child', [1, 2])
    expect(heard).toEqual([])
    const waits = Promise.all([first, second].map((job) => job?.value()))
    expect(heard).toEqual([true])
    it.scheduler.end(first?.id ?? '', succeeded(1))
    it.scheduler.end(second?.id ?? '', succeeded(2))
    expect(await waits).toEqual([1, 2])
    expect(heard).toEqual([true, false])
    await client.waitAll([first, second] as JobHandle[])
    expect(heard).toEqual([true, false])
  })

  test('says once that the job waits for what it runs, also where that does not end inline', async () => {
    await using it = await setUpClient()
    const heard: boolean[] = []
    await using client = it.offstage.forJob({ ...identity, onWaiting: (w) => heard.push(w) })
    const value = client.run('child', 1)
    await expect.poll(() => it.scheduler.watches[0]?.targets.size).toBe(1)
    const [id = ''] = it.scheduler.watches[0]?.targets ?? []
    it.scheduler.end(id, succeeded(1))
    expect(await value).toBe(1)
    expect(heard).toEqual([true, false])
  })

  test('leaves the connection to others when it is closed', async () => {
    await using it = await setUpClient()
    await it.offstage.forJob({ ...identity, onWaiting: () => {} }).close()
    expect((await it.offstage.startJob('a')).id).toBe('job-1')
  })
})

describe('the client of a job that is canceled', () => {
  /** The client of a job, and children that have not ended. */
  async function setUpParent() {
    const it = await setUpClient()
    const parent = await it.offstage.startJob('parent')
    const cancel = new AbortController()
    const { signal } = cancel
    const own = { ...identity, jobId: parent.id, onWaiting: () => {}, signal }
    const client = it.offstage.forJob(own)
    const children = await client.startJobs('child', [1, 2])
    return {
      ...{ scheduler: it.scheduler, parentId: parent.id, client, cancel, children },
      async [Symbol.asyncDispose]() {
        await client.close()
        await it[Symbol.asyncDispose]()
      },
    }
  }
  const reason = new Error('the user said so')

  test('ends every wait with the reason of the cancel', async () => {
    await using it = await setUpParent()
    const { client, children, cancel } = it
    const waits = [
      client.waitAll(children),
      client.waitAny(children),
      client.asCompleted(children).next(),
      children[0]?.value(),
      children[0]?.waitForCompletion(),
      client.runAll('child', [1, 2]),
    ]
    const ends = Promise.allSettled(waits)
    cancel.abort(reason)
    expect(await ends).toEqual(waits.map(() => ({ status: 'rejected', reason })))
    await expect(client.waitAll(children)).rejects.toBe(reason)
  })

  test('takes children that its own cancel has ended for no answer, though they are told of it first', async () => {
    await using it = await setUpParent()
    const { client, children, cancel, scheduler } = it
    scheduler.toBeCanceled.add(it.parentId)
    const waits = [client.waitAll(children), client.asCompleted(children).next()]
    const ends = Promise.allSettled([...waits, children[1]?.value()])
    for (const { id } of children) scheduler.end(id, canceled())
    await expect.poll(() => children.every(({ isCanceled }) => isCanceled)).toBe(true)
    cancel.abort(reason)
    expect(await ends).toEqual([1, 2, 3].map(() => ({ status: 'rejected', reason })))
  })

  test('ends a wait whose job hears of its cancel while the scheduler is asked after it', async () => {
    await using it = await setUpParent()
    const { client, children, cancel, scheduler } = it
    const isAskedAfter = () => {
      cancel.abort(reason)
      return true
    }
    scheduler.toBeCanceled.has = isAskedAfter
    const wait = client.waitAll(children)
    const over = expect(wait).rejects.toBe(reason)
    for (const { id } of children) scheduler.end(id, canceled())
    await over
  })

  test('takes canceled children for an answer where its own job is not canceled', async () => {
    await using it = await setUpParent()
    for (const { id } of it.children) it.scheduler.end(id, canceled())
    expect((await it.client.waitAll(it.children)).satisfied).toBe(true)
  })

  test('waits on where the wait has a signal of its own', async () => {
    await using it = await setUpParent()
    const { signal } = new AbortController()
    it.cancel.abort(reason)
    const wait = it.client.waitAll(it.children, { signal })
    for (const { id } of it.children) it.scheduler.end(id, succeeded(1))
    expect((await wait).satisfied).toBe(true)
  })
})

describe('a client that was closed', () => {
  test('refuses every call and wait by name, those of its jobs included', async () => {
    await using it = await setUpClient()
    const { offstage } = it
    const job = await offstage.startJob('a')
    const child = offstage.forJob({ ...identity, onWaiting: () => {} })
    const handle = child.job('job-1')
    await offstage.close()
    const calls = [
      job.waitForCompletion(),
      job.value(),
      handle.value(),
      offstage.startJob('a'),
      offstage.startJobs('a', [1, 2]),
      offstage.runAll('a', [1, 2]),
      offstage.waitAll([job], { timeoutMs: 500 }),
      offstage.asCompleted([job]).next(),
      offstage.storage.put('x'),
      offstage.storage.put(Buffer.alloc(5_000_000)),
      offstage.storage.get(addressOf(1)),
      offstage.storage.describe(addressOf(1)),
    ]
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { reason: 'CANCELLED' } })
      expect(String(call.status === 'rejected' && call.reason)).toContain('the client was closed')
    }
    await child.close()
  })
})

test('parameters that do not fit do not compile', () => {
  // Never called: the compiler is the one that is tested.
  const _calls = (offstage: Offstage) => [
    offstage.startJob(report, { dataSet: 'a' }),
    // @ts-expect-error: a parameter is missing
    offstage.startJob(report, {}),
    // @ts-expect-error: the parameters are missing
    offstage.startJob(report),
    // @ts-expect-error: a parameter is of another type
    offstage.run(report, { dataSet: 'a', top: 'ten' }),
    // @ts-expect-error: one of several is wrong
    offstage.startJobs(report, [{ dataSet: 'a' }, { dataSet: 2 }]),
    // @ts-expect-error: one of several is wrong
    offstage.runAll(report, [{ top: 1 }]),
    // @ts-expect-error: an option does not exist
    offstage.startJob(report, { dataSet: 'a' }, { keys: 'k' }),
    // A job without parameters needs none.
    offstage.startJob(defineJob({ method: 'a', async run() {} })),
  ]
  expectTypeOf<ReturnType<typeof _calls>[0]>().toExtend<Promise<unknown>>()
  const start = (offstage: Offstage) => offstage.startJob(report, { dataSet: 'a' })
  expectTypeOf(start).returns.resolves.toEqualTypeOf<JobHandle<{ flights: number }>>()
})

async function gone(): Promise<{ scheduler: string }> {
  await using it = await setUpClient()
  return { scheduler: it.scheduler.address }
}
