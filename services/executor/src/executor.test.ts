import { durationFrom } from '@offstage/proto/durations'
import { Lane } from '@offstage/proto/jobs'
import { describe, expect, test } from 'vitest'
import { setup } from './testing/setup.ts'

describe('work', () => {
  test('an executor says hello with its methods and gives credits for all its slots', async () => {
    const env = { OFFSTAGE_EXECUTOR_NAME: 'printer', OFFSTAGE_POOLS: 'gpu, default' }
    await using it = await setup(env)
    const { hello } = it.attachment
    const said = { name: 'printer', namespace: 'default', pools: ['gpu', 'default'], running: [] }
    expect(hello).toMatchObject(said)
    const greet = hello.methods.find(({ name }) => name === 'test.greet')
    expect(greet).toMatchObject({
      description: 'Greets somebody.',
      lane: Lane.LANE_TASK,
      retryPolicy: { maxAttempts: 3 },
      labelExpressions: { name: 'params.name' },
      deadlines: { attempt: { seconds: 60n } },
    })
    expect(JSON.parse(greet?.paramsSchema ?? '')).toMatchObject({ properties: { name: {} } })
    await expect.poll(() => it.attachment.credits(Lane.LANE_INLINE)).toBe(1_000)
    expect(it.attachment.credits(Lane.LANE_TASK)).toBe(2)
    expect(it.attachment.credits(Lane.LANE_WORK)).toBe(4)
  })

  test('a result comes back with a credit in the same message', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.echo', { n: 1 })
    expect(await it.attachment.value('a')).toEqual({ n: 1 })
    const frame = it.attachment.frames.find(({ results }) => results.length > 0)
    expect(frame?.credits).toEqual([{ lane: Lane.LANE_INLINE, slots: 1 }])
  })

  test('a handler without a return value gives a result without a source (row A4)', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.nothing')
    expect((await it.attachment.result('a')).outcome).toMatchObject({
      $case: 'succeeded',
      value: { source: undefined },
    })
  })

  test('a handler sees whom and what it runs for (row J5)', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.about', undefined, {
      attempt: 2,
      key: 'k',
      labels: JSON.parse('{ "city": "Oslo", "__proto__": "x" }'),
      scope: 's',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    })
    expect(await it.attachment.value('a')).toEqual({
      id: 'a',
      method: 'test.about',
      attempt: 2,
      owner: 'ann',
      namespace: 'default',
      key: 'k',
      labels: JSON.parse('{ "city": "Oslo", "__proto__": "x" }'),
      scope: 's',
      traceId: '0af7651916cd43dd8448eb211c80319c',
    })
  })

  test('handlers never run on the main thread, and each lane has threads of its own', async () => {
    await using it = await setup()
    const lanes = [Lane.LANE_INLINE, Lane.LANE_TASK, Lane.LANE_WORK]
    for (const round of [1, 2]) {
      for (const lane of lanes) {
        it.attachment.assign(`${lane}/${round}`, 'test.whereabouts', undefined, { lane })
        await it.attachment.result(`${lane}/${round}`)
      }
    }
    const threads = (round: number) =>
      Promise.all(lanes.map((lane) => it.attachment.value(`${lane}/${round}`)))
    const [first, second] = [await threads(1), await threads(2)]
    expect(new Set(first).size).toBe(3)
    expect(first).not.toContain(0)
    // inline and task use their thread again, work takes a new one
    expect(second.slice(0, 2)).toEqual(first.slice(0, 2))
    expect(second[2]).not.toBe(first[2])
  })

  test('a handler has the heap it was given, and not the token of its executor', async () => {
    process.env.OFFSTAGE_TOKEN = 'secret'
    await using it = await setup({ OFFSTAGE_EXECUTOR_THREAD_HEAP: '123MiB' })
    delete process.env.OFFSTAGE_TOKEN
    it.attachment.assign('a', 'test.surroundings')
    expect(await it.attachment.value('a')).toEqual({ heapMb: 123 })
  })

  test('progress arrives numbered and ends with the last; messages arrive in order', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.counter', { to: 500 }, { wantAdditionalResult: true })
    const { outcome, additionalResult } = await it.attachment.result('a')
    expect(outcome?.$case).toBe('succeeded')
    const progress = it.attachment.progress.map((report) => report.progress)
    expect(progress.at(-1)).toMatchObject({ percent: 100, text: 'step 500', extra: { n: 500 } })
    expect(progress.map((each) => each?.revision)).toEqual(progress.map((_, at) => at + 1))
    expect(progress.length).toBeLessThan(50)
    expect(it.attachment.messages).toMatchObject([
      { number: 1, text: 'done', severity: 2, extra: { to: 500 } },
      { number: 2, text: 'really', severity: 1, extra: undefined },
    ])
    expect(additionalResult?.source?.value.toString()).toBe('{"log":"steps"}')
  })
})

describe('failures', () => {
  test('parameters that do not fit are refused before the handler runs, naming the field', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.greet', { name: 'Ann', times: -1 })
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason: 'PARAMS_INVALID', retryable: false })
    expect(fault.brief).toContain('params.times')
  })

  test('an unknown method fails and is not retried', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.no-such')
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason: 'METHOD_UNKNOWN', retryable: false })
  })

  test('what a handler throws becomes a brief and a detailed error (row J14)', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.fail')
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ brief: 'no paper', reason: 'OutOfPaperError', retryable: true })
    expect(fault.detail).toMatch(/jobs\.ts[\s\S]*caused by: .*tray 2 is empty/)
    it.attachment.assign('b', 'test.fail-for-good')
    expect(await it.attachment.fault('b')).toMatchObject({ retryable: false })
  })

  test.each([
    ['test.unwritable', 'RESULT_NOT_SERIALIZABLE', 'result.big: JSON has no bigint'],
    ['test.transferred', 'RESULT_NOT_SERIALIZABLE', 'result: the bytes of a Uint8Array were tran'],
    ['test.misfit', 'RESULT_INVALID', 'result.pages'],
  ])('the result of %s is refused as %s', async (method, reason, text) => {
    await using it = await setup()
    it.attachment.assign('a', method)
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason, retryable: false })
    expect(fault.brief).toContain(text)
  })

  test.each([
    ['map', 'result', 'result.rows.0.it: JSON leaves out what is in a Map'],
    ['nan', 'result', 'result.rows.0.it: JSON has no NaN'],
    ['function', 'result', 'result.rows.0.it: JSON has no function'],
    ['bytes', 'additional', 'additionalResult.rows.0.it: JSON has no bytes'],
    ['map', 'additional', 'additionalResult.rows.0.it: JSON leaves out'],
  ])('what JSON would lose (%s) fails the job with its path: %s', async (as, where, text) => {
    await using it = await setup()
    it.attachment.assign('a', 'test.lossy', { as, where }, { wantAdditionalResult: true })
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason: 'RESULT_NOT_SERIALIZABLE', retryable: false })
    expect(fault.brief).toContain(text)
  })

  test('bytes arrive as bytes and come back as bytes', async () => {
    await using it = await setup()
    const value = Buffer.from([1, 2, 3])
    const contentType = 'application/octet-stream'
    const params = { source: { $case: 'inline' as const, value }, contentType }
    it.attachment.assign('a', 'test.bytes', undefined, { params })
    const { outcome } = await it.attachment.result('a')
    expect(it.attachment.messages[0]?.text).toBe('true 3')
    expect(outcome?.value).toEqual({
      source: { $case: 'inline', value: Buffer.from([2, 3]) },
      contentType,
    })
  })

  const CBOR = 'application/cbor'
  const inCbor = (hex: string, contentType = CBOR) => {
    const value = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    return { params: { source: { $case: 'inline' as const, value }, contentType } }
  }

  test('CBOR arrives as its value, whatever the method says of itself', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.echo', undefined, inCbor('a2 61 6e 01 61 74 63 c3a4 62'))
    expect(await it.attachment.value('a')).toEqual({ n: 1, t: 'äb' })
    it.attachment.assign('b', 'test.echo', undefined, inCbor('c2 41 01'))
    const fault = await it.attachment.fault('b')
    expect(fault.brief).toContain('result: JSON has no bigint')
  })

  test('a method whose codec is CBOR returns that, whatever it was given', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.cbor', { n: 7 })
    const { outcome } = await it.attachment.result('a')
    expect(outcome?.value).toEqual({
      source: { $case: 'inline', value: Buffer.from('c24107', 'hex') },
      contentType: CBOR,
    })
  })

  test.each([
    ['CBOR that is cut off', inCbor('82 01'), 'PARAMS_INVALID'],
    ['JSON that is no UTF-8', inCbor('22 e9 22', ''), 'PARAMS_INVALID'],
    [
      'CBOR that something unknown has wrapped',
      inCbor('00', 'application/vnd.offstage.wrapped; of=cbor; by="seal:k1"'),
      'CODEC_UNKNOWN',
    ],
  ])('%s fails the attempt', async (_, params, reason) => {
    await using it = await setup()
    it.attachment.assign('a', 'test.echo', undefined, params)
    expect(await it.attachment.fault('a')).toMatchObject({ reason })
  })

  test.each(['Zürich ☃', '', '{"n":1}'])('a text arrives as it was sent: %j', async (text) => {
    await using it = await setup()
    const value = Buffer.from(text, 'utf8')
    const params = { source: { $case: 'inline' as const, value }, contentType: 'text/plain' }
    it.attachment.assign('a', 'test.echo', undefined, { params })
    expect(await it.attachment.value('a')).toBe(text)
  })

  test('an uncaught error in the inline lane fails its own attempt, and the lane goes on', async () => {
    await using it = await setup()
    it.attachment.assign('bystander', 'test.stubborn')
    await it.attachment.running('bystander')
    it.attachment.assign('a', 'test.crash')
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason: 'EXECUTOR_THREAD_LOST', retryable: true })
    expect(fault.detail).toContain('nobody catches this')
    await expect.poll(() => it.attachment.handedBack).toEqual(['bystander'])
    it.attachment.assign('b', 'test.echo', 'alive')
    expect(await it.attachment.value('b')).toBe('alive')

    // The words of a method that wraps them are not told plainly.
    it.attachment.assign('c', 'test.sealed-crash')
    const { detail } = await it.attachment.fault('c')
    expect(detail).toMatch(/^Error\n +at .*jobs\.ts/)
    expect(detail).not.toContain('nobody catches this')
  })

  test.each([Lane.LANE_INLINE, Lane.LANE_TASK, Lane.LANE_WORK])(
    'process.exit in a handler ends only its thread (lane %s)',
    async (lane) => {
      await using it = await setup()
      it.attachment.assign('a', 'test.quit', undefined, { lane })
      const fault = await it.attachment.fault('a')
      expect(fault).toMatchObject({ reason: 'EXECUTOR_THREAD_LOST', retryable: true })
      expect(fault.detail).toContain('exited with code 3')
      it.attachment.assign('b', 'test.echo', 'alive', { lane })
      expect(await it.attachment.value('b')).toBe('alive')
    },
  )
})

describe('ends by order', () => {
  test('a cancel aborts the signal, and a handler that follows it ends as canceled', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.obedient')
    await it.attachment.running('a')
    it.attachment.cancel('a', { graceMs: 60_000 })
    const { outcome } = await it.attachment.result('a')
    expect(outcome).toEqual({ $case: 'canceled', value: 'stopped when asked to' })
  })

  test('a handler that returns in spite of a cancel has succeeded', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.finisher')
    await it.attachment.running('a')
    it.attachment.cancel('a', { graceMs: 60_000, reason: 'closing time' })
    expect(await it.attachment.value('a')).toEqual({
      ...{ reason: 'AbortError: closing time', code: 'JOB_CANCELED' },
    })
  })

  test('a busy loop is ended by force after the grace (row J10)', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.spin', undefined, { lane: Lane.LANE_TASK })
    await it.attachment.running('a')
    it.attachment.cancel('a', { graceMs: 10 })
    const { outcome } = await it.attachment.result('a')
    expect(outcome).toEqual({ $case: 'canceled', value: 'ended by force' })
  })

  test('neighbours of an attempt that is ended by force are handed back', async () => {
    await using it = await setup()
    it.attachment.assign('neighbour', 'test.obedient')
    await it.attachment.running('neighbour')
    it.attachment.assign('a', 'test.spin')
    await it.attachment.running('a')
    it.attachment.cancel('a', { graceMs: 10 })
    expect((await it.attachment.result('a')).outcome?.$case).toBe('canceled')
    await expect.poll(() => it.attachment.handedBack).toEqual(['neighbour'])
    expect(it.attachment.results).toHaveLength(1)
    await expect.poll(() => it.attachment.credits(Lane.LANE_INLINE)).toBe(1_002)
  })

  test('a cancel of an attempt that is not here is answered all the same', async () => {
    await using it = await setup()
    it.attachment.cancel('ghost', { graceMs: 10 })
    expect((await it.attachment.result('ghost')).outcome?.$case).toBe('canceled')
  })

  test('an attempt past its deadline is stopped and fails (row J17)', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.obedient', undefined, { attemptDeadline: durationFrom(20) })
    const fault = await it.attachment.fault('a')
    expect(fault).toMatchObject({ reason: 'ATTEMPT_DEADLINE_EXCEEDED', retryable: true })
  })

  test('a fenced attempt is stopped and nothing more is said of it', async () => {
    await using it = await setup()
    it.attachment.assign('a', 'test.obedient')
    await it.attachment.running('a')
    it.attachment.send({ fenced: [{ jobId: 'a', attempt: 1 }] })
    await expect.poll(() => it.attachment.credits(Lane.LANE_INLINE)).toBe(1_001)
    expect(it.attachment.results).toEqual([])
    expect(it.attachment.handedBack).toEqual([])
  })
})
