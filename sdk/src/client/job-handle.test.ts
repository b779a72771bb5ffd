import { JobState, Completion as WireCompletion } from '@offstage/proto/jobs'
import { describe, expect, test } from 'vitest'
import { setUpClient, until } from '../testing/client-fixture.ts'
import { canceled, failed, succeeded, succeededAt } from '../testing/fake-completions.ts'
import { addressOf } from '../testing/place-names.ts'
import type { Completion } from './completion.ts'
import { JobCanceledError, JobFailedError } from './job-errors.ts'

const withoutMessages = ({ messages: _, ...rest }: Completion) => rest

describe('the end of a job', () => {
  test('that came with the start is known at once, and nothing is asked or watched for it', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => succeeded({ n: 42 })
    const job = await it.offstage.startJob('a', {}, { inlineWaitMs: 800 })
    expect(it.scheduler.starts[0]?.inlineWait).toMatchObject({ seconds: 0n, nanos: 800_000_000 })
    expect(job).toMatchObject({ isCompleted: true, isSucceeded: true, status: 'RanToCompletion' })
    expect(job.result).toEqual({ n: 42 })
    expect(await job.value()).toEqual({ n: 42 })
    expect(await job.waitForCompletion({ messages: false })).toMatchObject({ state: 'succeeded' })
    expect(it.scheduler.watches).toHaveLength(0)
    expect(it.scheduler.waits).toHaveLength(0)
  })

  test.each([
    ['with the completion', { source: { $case: 'inline', value: Buffer.from('{not json') } }],
    ['in temp storage', { source: { $case: 'address', value: addressOf('broken') } }],
  ] as const)('whose result %s is not JSON is told with the job’s id', async (_title, result) => {
    await using it = await setUpClient()
    const contentType = 'text/plain'
    await it.offstage.storage.put('{not json', { address: addressOf('broken'), contentType })
    it.scheduler.onStart = () => WireCompletion.fromPartial({ state: 5, result })
    const job = await it.offstage.startJob('a', {}, { inlineWaitMs: 800 })
    const unreadable = {
      name: 'OffstageError',
      reason: 'RESULT_UNREADABLE',
      metadata: { jobId: job.id },
    }
    await expect(job.value()).rejects.toMatchObject(unreadable)
    await expect(job.waitForCompletion()).rejects.toThrow(
      `the result of job ${job.id} cannot be read`,
    )
    expect(job).toMatchObject({ isSucceeded: true, state: 'succeeded' })
  })

  test('whose payloads the caller may not see is told as such, and not as a procedure', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => WireCompletion.fromPartial({ state: 5, payloadHidden: true })
    const job = await it.offstage.startJob('a', {}, { inlineWaitMs: 800 })
    expect(await job.waitForCompletion()).toMatchObject({ state: 'succeeded', payloadHidden: true })
    expect(job.result).toBeUndefined()
    const hidden = { reason: 'PAYLOAD_HIDDEN', metadata: { jobId: job.id } }
    await expect(job.value()).rejects.toMatchObject(hidden)
    await expect(job.takeResult()).rejects.toMatchObject(hidden)
  })

  test('that is pushed ends the wait', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    expect(job.status).toBe('WaitingToRun')
    const done = job.waitForCompletion()
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.setState(job.id, JobState.JOB_STATE_RUNNING)
    await until(() => job.status === 'Running')
    it.scheduler.end(job.id, succeeded('done'))
    expect(await done).toMatchObject({ state: 'succeeded', result: 'done', messages: [] })
    expect(it.scheduler.waits).toHaveLength(0)
  })

  test.each([
    ['succeeded', succeeded([1])],
    ['failed', failed('too far')],
    ['canceled', canceled()],
  ])('%s is told the same by a push, by the poll and with the start', async (state, completion) => {
    await using it = await setUpClient()
    const start = () => it.offstage.startJob('a')
    const pushed = await start()
    const byPush = pushed.waitForCompletion()
    await until(() => it.scheduler.watches[0]?.targets.has(pushed.id) ?? false)
    it.scheduler.end(pushed.id, completion)
    const answer = await byPush

    it.scheduler.pushes = false
    const polled = await start()
    const byPoll = polled.waitForCompletion()
    it.scheduler.end(polled.id, completion)
    await it.clock.advance(1000)

    it.scheduler.onStart = () => completion
    const inline = await (await start()).waitForCompletion()

    expect(answer).toMatchObject({ state, isCompleted: true })
    // One word for it, on the handle, in its record and in the answer.
    expect([pushed.state, (await pushed.refresh()).state]).toEqual([state, state])
    expect(withoutMessages(await byPoll)).toEqual(withoutMessages(answer))
    expect(withoutMessages(inline)).toEqual(withoutMessages(answer))
  })

  test('by cancel is reported as such, not as an error', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => canceled()
    const job = await it.offstage.startJob('a')
    expect(await job.waitForCompletion()).toMatchObject({
      state: 'canceled',
      error: null,
      cancelOutcome: 'stopped',
    })
    expect(job).toMatchObject({ isCanceled: true, isFaulted: false, error: undefined })
    await expect(job.value()).rejects.toThrow(JobCanceledError)
  })

  test('by failure is an answer of the wait; only value() throws it, with both errors', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => failed('too far')
    const job = await it.offstage.startJob('a')
    const fault = { brief: 'too far', detail: 'too far\n at', reason: 'RangeError' }
    expect(await job.waitForCompletion()).toMatchObject({ state: 'failed', error: fault })
    expect(job).toMatchObject({ isFaulted: true, error: fault, status: 'Faulted' })
    const thrown = await job.value().catch((error) => error)
    expect(thrown).toBeInstanceOf(JobFailedError)
    expect(thrown).toMatchObject({ jobId: job.id, method: 'a', ...fault })
  })

  test('of a procedure gives null', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => succeeded()
    expect(await it.offstage.run('a')).toBeNull()
  })

  test('with a large result is fetched from storage, once', async () => {
    await using it = await setUpClient()
    it.storage.keep('at-1', { rows: 3 })
    it.scheduler.onStart = () => succeededAt('at-1')
    const job = await it.offstage.startJob('a')
    expect(job.result).toBeUndefined()
    expect(await job.value()).toEqual({ rows: 3 })
    expect(await job.waitForCompletion()).toMatchObject({ result: { rows: 3 } })
    expect(job.result).toEqual({ rows: 3 })
    expect(it.storage.offsets).toEqual([0])
  })
})

describe('a result at a fixed address', () => {
  test('is the job’s own, or an error that tells of the one that replaced it', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    const { address, sha256 } = await storage.put('mine')
    it.scheduler.onStart = () => succeededAt(address, Buffer.from(sha256, 'hex'))
    const [read, unread] = await it.offstage.startJobs<string>('a', [1, 2])
    expect(await read?.value()).toBe('mine')
    await storage.put('of a later run', { address })
    const replaced = { reason: 'RESULT_REPLACED', metadata: { jobId: unread?.id, address } }
    await expect(unread?.value()).rejects.toMatchObject(replaced)
    await expect(unread?.waitForCompletion()).rejects.toMatchObject(replaced)
    expect(await storage.get(address)).toBe('of a later run')
    // What was read once stays with the handle.
    expect(await read?.value()).toBe('mine')
  })
})

describe('a large result', () => {
  test('is found where it lies, taken from there once, and kept by its handle', async () => {
    await using it = await setUpClient()
    it.storage.keep('at-1', { rows: 3 })
    it.storage.keep('at-2', 'more')
    const additional = succeededAt('at-2').result
    it.scheduler.onStart = () => ({ ...succeededAt('at-1'), additionalResult: additional })
    const job = await it.offstage.startJob<{ rows: number }>('a')
    expect(job).toMatchObject({ resultAddress: 'at-1', additionalResultAddress: 'at-2' })
    expect(await job.waitForCompletion()).toMatchObject({
      ...{ resultAddress: 'at-1', result: { rows: 3 } },
      ...{ additionalResultAddress: 'at-2', additionalResult: 'more' },
    })
    expect(it.storage.values.size).toBe(2)
    expect(await Promise.all([job.takeResult(), job.takeResult()])).toEqual([
      { rows: 3 },
      { rows: 3 },
    ])
    expect([...it.storage.values.keys()]).toEqual(['at-2'])
    expect(await job.takeResult()).toEqual({ rows: 3 })
    expect(await job.value()).toEqual({ rows: 3 })
    const other = it.offstage.job(job.id)
    await expect(other.takeResult()).rejects.toMatchObject({ reason: 'VALUE_NOT_FOUND' })
  })

  test('that was replaced is not taken for the one that replaced it, which stays', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    const { address, sha256 } = await storage.put('mine')
    it.scheduler.onStart = () => succeededAt(address, Buffer.from(sha256, 'hex'))
    const job = await it.offstage.startJob<string>('a')
    await storage.put('of a later run', { address })
    await expect(job.takeResult()).rejects.toMatchObject({ reason: 'RESULT_REPLACED' })
    expect(await storage.get(address)).toBe('of a later run')
  })

  test('that came along lies nowhere, and is taken as it is', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => succeeded(5)
    const job = await it.offstage.startJob<number>('a')
    expect(job.resultAddress).toBeUndefined()
    expect(await job.takeResult()).toBe(5)
    expect((await job.waitForCompletion()).resultAddress).toBeUndefined()
  })
})

describe('a wait', () => {
  test('whose time is up answers with where the job stands', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const answer = job.waitForCompletion({ timeoutMs: 500 })
    it.scheduler.pushes = false
    it.scheduler.setState(job.id, JobState.JOB_STATE_RUNNING)
    await it.clock.advance(500)
    expect(await answer).toEqual({ isCompleted: false, state: 'running' })
  })

  test('of no time asks once, and tells an end that nobody had pushed', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    it.scheduler.end(job.id, succeeded(1))
    expect(await job.waitForCompletion({ timeoutMs: 0 })).toMatchObject({ result: 1 })
    expect(it.scheduler.watches).toHaveLength(0)
  })

  test('whose time is up while the scheduler is away answers all the same', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const answer = job.waitForCompletion({ timeoutMs: 500 })
    await it.scheduler[Symbol.asyncDispose]()
    await it.clock.advance(500)
    expect(await answer).toEqual({ isCompleted: false, state: 'queued' })
  })

  test('is ended by its signal, with its reason, and leaves the job alone', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const abort = new AbortController()
    const wait = job.waitForCompletion({ signal: abort.signal })
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    abort.abort(new Error('enough'))
    await expect(wait).rejects.toThrow('enough')
    await until(() => it.scheduler.watches[0]?.targets.size === 0)
    expect(it.scheduler.cancels).toEqual([])
    await expect(job.waitForCompletion({ signal: abort.signal })).rejects.toThrow('enough')
  })

  test('for a job that does not exist rejects, pushed or polled', async () => {
    await using it = await setUpClient()
    const pushed = it.offstage.job('none').waitForCompletion()
    await expect(pushed).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' })
    it.scheduler.pushes = false
    const polled = it.offstage.job('none').waitForCompletion()
    await Promise.all([
      expect(polled).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' }),
      it.clock.advance(1000),
    ])
  })

  test('rejects with what a callback throws, and other waits go on', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const broken = job.waitForCompletion({
      onMessage: () => {
        throw new Error('my fault')
      },
    })
    const sound = job.waitForCompletion()
    await until(() => it.scheduler.watches[0]?.targets.has(job.id) ?? false)
    it.scheduler.say(job.id, 'hello')
    await expect(broken).rejects.toThrow('my fault')
    it.scheduler.end(job.id, succeeded())
    expect((await sound).messages.map(({ text }) => text)).toEqual(['hello'])
  })

  test('is ended when the client is closed', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    const wait = job.waitForCompletion()
    await it.offstage.close()
    await expect(wait).rejects.toThrow('client was closed')
  })
})

describe('a handle', () => {
  test('made from an id knows its job after a refresh', async () => {
    await using it = await setUpClient()
    const { id } = it.scheduler.addJob('reports.build')
    const job = it.offstage.job(id)
    expect(job.name).toBe('')
    expect(await job.refresh()).toMatchObject({ id, method: 'reports.build', owner: 'somebody' })
    expect(job).toMatchObject({ name: 'reports.build', state: 'queued' })
    it.scheduler.end(id, succeeded(5))
    await job.refresh()
    expect(job.result).toBe(5)
  })

  test('is named for people, and tells the brief error of a job that failed as its result', async () => {
    await using it = await setUpClient()
    const named = await it.offstage.startJob('reports.build', {}, { displayName: 'All sales' })
    expect([named.name, named.method]).toEqual(['All sales', 'reports.build'])
    const [bulk, other] = await it.offstage.startJobs('reports.build', [1, 2], {
      displayName: 'Sales',
      each: (n) => (n === 2 ? { displayName: 'Sales of 2' } : undefined),
    })
    expect([bulk?.name, other?.name]).toEqual(['Sales', 'Sales of 2'])
    const plain = await it.offstage.startJob('reports.build')
    expect(plain.name).toBe('reports.build')
    it.scheduler.end(plain.id, failed('There is no paper left.'))
    await plain.waitForCompletion()
    expect(plain.result).toBe('There is no paper left.')
  })

  test('of a job that was started anew by others tells the newer end after a refresh', async () => {
    await using it = await setUpClient()
    const { id } = it.scheduler.addJob('reports.build')
    const job = it.offstage.job(id)
    it.scheduler.end(id, succeeded(5))
    expect(await job.value()).toBe(5)
    it.scheduler.end(id, { ...succeeded(6), finishTime: new Date(1) })
    await job.refresh()
    expect([job.result, await job.value()]).toEqual([6, 6])
  })

  test('cancels with reason and cascade', async () => {
    await using it = await setUpClient()
    const job = await it.offstage.startJob('a')
    expect(await job.cancel({ reason: 'not needed', cascade: true })).toBeUndefined()
    expect(it.scheduler.cancels).toMatchObject([
      { jobId: job.id, reason: 'not needed', cascade: true },
    ])
  })
})
