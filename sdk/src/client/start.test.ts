import { createHash } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { OffstageError } from '../grpc/mod.ts'
import { defineMethod } from '../jobs/define-method.ts'
import { defineJob } from '../jobs/definition.ts'
import { setUpClient, until } from '../testing/client-fixture.ts'
import { succeeded } from '../testing/fake-completions.ts'
import { addressOf, scopeOf } from '../testing/place-names.ts'
import { Offstage } from './offstage.ts'
import { StartJobsError, type StartOutcome } from './start-outcome.ts'

const report = defineJob({
  method: 'reports.delays',
  params: z.object({ dataSet: z.string(), top: z.number().int().default(20) }),
  result: z.object({ flights: z.number() }),
  run: async () => ({ flights: 1 }),
})

describe('a start', () => {
  test('carries what the options say', async () => {
    await using it = await setUpClient({ namespace: 'blue', user: 'ada', scope: scopeOf(7) })
    it.storage.scopes.set(scopeOf(7), 0)
    for (const address of [addressOf(1), addressOf(2)]) it.storage.keep(address, null)
    const startAfter = new Date('2030-01-01T00:00:00Z')
    await it.offstage.startJob(
      report,
      { dataSet: 'flights' },
      {
        key: 'flights',
        onKeyConflict: 'queue-behind',
        lane: 'work',
        fallbackMethod: 'reports.any',
        additionalResult: addressOf(2),
        resultAddress: addressOf(1),
        startAfter,
        priority: 5,
        labels: { team: 'air' },
        displayName: 'Delays',
        retry: { maxAttempts: 3 },
        deadlines: { totalMs: 60_000 },
        cancelWithParent: true,
        requestId: 'mine',
      },
    )
    const [start] = it.scheduler.starts
    expect(start?.namespace).toBe('blue')
    expect(start?.job).toMatchObject({
      method: 'reports.delays',
      params: { source: { $case: 'inline', value: Buffer.from('{"dataSet":"flights"}') } },
      key: 'flights',
      keyConflictPolicy: 3,
      lane: 3,
      fallbackMethod: 'reports.any',
      scope: scopeOf(7),
      resultAddress: addressOf(1),
      wantAdditionalResult: true,
      additionalResultAddress: addressOf(2),
      startTime: startAfter,
      delay: undefined,
      priority: 5,
      labels: { team: 'air' },
      displayName: 'Delays',
      retryPolicy: { maxAttempts: 3 },
      deadlines: { total: { seconds: 60n } },
      cancelWithParent: true,
      requestId: 'mine',
    })
    expect(it.scheduler.metadata.at(-1)?.get('offstage-user')).toEqual(['ada'])
  })

  test('whose parameters do not fit is refused by field, before anything is sent', async () => {
    await using it = await setUpClient()
    // @ts-expect-error: that it does not compile either is checked by this line
    const start = it.offstage.startJob(report, { dataSet: 3 })
    const error = await start.catch((thrown) => thrown)
    expect(error).toBeInstanceOf(OffstageError)
    expect(error).toMatchObject({ reason: 'PARAMS_INVALID', code: status.INVALID_ARGUMENT })
    expect(error.violations).toMatchObject([{ field: 'params.dataSet' }])
    expect(it.scheduler.starts).toEqual([])
  })

  test.each([
    ['params.rows.0', { rows: [new Map([[1, 2]])] }],
    ['params.mean', { mean: NaN }],
    ['params.list.1', { list: [1, undefined] }],
    ['params.data', { data: new Uint8Array(1) }],
    ['params', () => 1],
  ])('whose parameters JSON would empty is refused at %s', async (field, params) => {
    await using it = await setUpClient()
    const refusal = { reason: 'PARAMS_INVALID', violations: [{ field }] }
    await expect(it.offstage.startJob('a', params)).rejects.toMatchObject(refusal)
    const [outcome] = await it.offstage.startJobsSettled('a', [params])
    expect(outcome?.error).toMatchObject(refusal)
    expect(it.scheduler.starts.length + it.scheduler.bulkStarts.length).toBe(0)
  })

  test('that is refused leaves none of its large parameters in storage; another gives them to its job', async () => {
    await using it = await setUpClient()
    const large = 'x'.repeat(100_000)
    it.scheduler.onStart = () => ({ code: status.ALREADY_EXISTS, reason: 'JOB_KEY_TAKEN' })
    await expect(it.offstage.startJob('a', large)).rejects.toThrow()
    const [outcome] = await it.offstage.startJobsSettled('a', [large])
    expect(outcome?.error?.reason).toBe('JOB_KEY_TAKEN')
    expect(it.storage.values.size).toBe(0)

    it.scheduler.onStart = () => undefined
    await it.offstage.startJob('a', large)
    await it.offstage.startJobs('a', [large, 'small'])
    expect(it.storage.values.size).toBe(2)
    const specs = [it.scheduler.starts.at(-1)?.job, ...(it.scheduler.bulkStarts.at(-1)?.jobs ?? [])]
    const owned = specs.map((spec) => [spec?.params?.source?.$case, spec?.paramsOwned])
    expect(owned.sort()).toEqual([
      ['address', true],
      ['address', true],
      ['inline', false],
    ])
  })

  test('whose parameters are over 1 GiB is refused before any of them is sent', async () => {
    await using it = await setUpClient()
    // Never touched, so it takes no memory.
    const params = new Uint8Array(1024 ** 3 + 1)
    const refusal = { reason: 'PARAMS_TOO_LARGE', violations: [{ field: 'params' }] }
    await expect(it.offstage.startJob('a', params)).rejects.toMatchObject(refusal)
    const outcomes = await it.offstage.startJobsSettled('a', [params, 1])
    expect(outcomes.map(({ error }) => error?.reason)).toEqual(['PARAMS_TOO_LARGE', undefined])
    expect(it.storage.uploads.size + it.storage.writesBegun).toBe(0)
    // At the limit they begin to be sent.
    const giveUp = new AbortController()
    const start = it.offstage.startJob('a', params.subarray(1), { signal: giveUp.signal })
    await until(() => it.storage.uploads.size === 1)
    giveUp.abort()
    await expect(start).rejects.toThrow()
  })

  test('is repeated with the same request id while the scheduler is unavailable', async () => {
    await using it = await setUpClient()
    const away = { code: status.UNAVAILABLE, reason: 'SHUTTING_DOWN' } as const
    it.scheduler.refusals = [away, away]
    const job = await it.offstage.startJob('a')
    expect(it.scheduler.refusals).toEqual([])
    expect([...it.scheduler.jobs.keys()]).toEqual([job.id])
  })

  test('whose answer was lost finds the job it made when it is repeated', async () => {
    await using it = await setUpClient()
    let lose = true
    it.scheduler.onStarted = () => {
      if (!lose) return undefined
      lose = false
      return { code: status.UNAVAILABLE, reason: 'SERVICE_UNREACHABLE' }
    }
    const job = await it.offstage.startJob('a')
    const ids = it.scheduler.starts.map((start) => start.job?.requestId)
    expect(ids).toHaveLength(2)
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    expect(ids[1]).toBe(ids[0])
    expect([...it.scheduler.jobs.keys()]).toEqual([job.id])
  })

  test('is not repeated for ever', async () => {
    await using it = await setUpClient()
    it.scheduler.onStarted = () => {
      it.clock.jump(120_000)
      return { code: status.UNAVAILABLE, reason: 'SERVICE_UNREACHABLE' }
    }
    await expect(it.offstage.startJob('a')).rejects.toMatchObject({ code: status.UNAVAILABLE })
    expect(it.scheduler.starts).toHaveLength(1)
  })

  test('takes the time of its request id from a scheduler whose clock is well off', async () => {
    await using it = await setUpClient()
    it.scheduler.skewMs = 240_000
    await using offstage = await Offstage.connect({ scheduler: it.scheduler.address })
    const beforeMs = Date.now()
    await offstage.startJob('a')
    const id = it.scheduler.starts[0]?.job?.requestId ?? ''
    const madeMs = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    expect(madeMs - beforeMs).toBeGreaterThan(235_000)
  })

  test('that is refused for good is not repeated', async () => {
    await using it = await setUpClient()
    it.scheduler.refusals = [{ code: status.ALREADY_EXISTS, reason: 'JOB_KEY_TAKEN' }]
    const start = it.offstage.startJob('a', {}, { key: 'k' })
    await expect(start).rejects.toMatchObject({ reason: 'JOB_KEY_TAKEN' })
    expect(it.scheduler.starts).toEqual([])
  })

  test('with large parameters sends them by way of storage', async () => {
    await using it = await setUpClient()
    const text = 'x'.repeat(64 * 1024)
    await it.offstage.startJob('a', { text })
    const params = it.scheduler.starts[0]?.job?.params
    expect(params?.source).toEqual({ $case: 'address', value: addressOf(1) })
    // Tells a repeated start, which stores them anew, from another.
    const sha256 = createHash('sha256').update(JSON.stringify({ text })).digest()
    expect(params?.sha256).toEqual(sha256)
    // As an executor reads them.
    expect(await it.offstage.storage.get(addressOf(1))).toEqual({ text })
  })

  test('with parameters of just 64 KiB sends them along', async () => {
    await using it = await setUpClient()
    await it.offstage.startJob('a', 'x'.repeat(64 * 1024 - 2))
    expect(it.scheduler.starts[0]?.job?.params?.source?.$case).toBe('inline')
    expect(it.storage.values.size).toBe(0)
  })

  test('is given up by its signal', async () => {
    await using it = await setUpClient()
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(it.offstage.startJob('a', {}, { signal })).rejects.toThrow('enough')
    await expect(it.offstage.startJobs('a', [1], { signal })).rejects.toThrow('enough')
  })
})

describe('run', () => {
  test('waits inline for 0.8 s and returns the result', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = () => succeeded({ flights: 3 })
    const result = await it.offstage.run(report, { dataSet: 'a' })
    expectTypeOf(result).toEqualTypeOf<{ flights: number }>()
    expect(result).toEqual({ flights: 3 })
    expect(it.scheduler.starts[0]?.inlineWait).toMatchObject({ nanos: 800_000_000 })
    expect(it.scheduler.watches).toEqual([])
  })
})

describe('a bulk start', () => {
  test('answers for each job, in order, in calls of 500 at most', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = ({ params }) => succeeded(Number(inlineText(params)))
    const list = Array.from({ length: 1201 }, (_, n) => n)
    const jobs = await it.offstage.startJobs<number>('a', list, { inlineWaitMs: 5000 })
    expect(jobs.map(({ result }) => result)).toEqual(list)
    const sizes = it.scheduler.bulkStarts.map((call) => call.jobs.length)
    expect(sizes.sort()).toEqual([201, 500, 500])
    expect(it.scheduler.bulkStarts[0]?.inlineWait).toMatchObject({ seconds: 5n })
    const ids = it.scheduler.bulkStarts.flatMap((call) => call.jobs.map((job) => job.requestId))
    expect(new Set(ids).size).toBe(1201)
    expect(await it.offstage.waitAll(jobs)).toMatchObject({ satisfied: true })
    expect(it.scheduler.watches).toEqual([])
  })

  test('tells which jobs were refused, with the handles of the others', async () => {
    await using it = await setUpClient()
    it.scheduler.onStart = ({ params }) =>
      inlineText(params) === '1' ? { code: 8, reason: 'QUEUE_FULL' } : undefined
    const outcomes = await it.offstage.startJobsSettled('a', [0, 1, 2])
    expect(outcomes.map(({ error }) => error?.reason)).toEqual([undefined, 'QUEUE_FULL', undefined])
    expect(outcomes.map(({ job }) => job?.id)).toEqual(['job-1', undefined, 'job-2'])
    const error = await it.offstage.startJobs('a', [0, 1, 2]).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(StartJobsError)
    expect(error.message).toMatch(/^1 of 3 jobs were refused/)
    expect(error.outcomes).toHaveLength(3)
  })

  test('refuses wrong parameters of one job and starts the others', async () => {
    await using it = await setUpClient()
    const list = [{ dataSet: 'a' }, { dataSet: 'b', top: 1.5 }, { dataSet: 'c' }]
    const outcomes = await it.offstage.startJobsSettled(report, list)
    expect(outcomes.map(({ error }) => error?.violations[0]?.field)).toEqual([
      undefined,
      'params.top',
      undefined,
    ])
    expect(it.scheduler.jobs.size).toBe(2)
  })

  test('refuses what cannot be written as JSON by field, and starts the others', async () => {
    await using it = await setUpClient()
    const circular: Record<string, unknown> = {}
    circular.self = { circular }
    const list = [{ n: 1 }, { items: [0, { n: 1n }] }, circular, 2n]
    const outcomes = await it.offstage.startJobsSettled('a', list)
    const violations = outcomes.map(({ error }) => error?.violations[0]?.field)
    expect(violations).toEqual([undefined, 'params.items.1.n', 'params.self.circular', 'params'])
    expect(outcomes[1]?.error).toMatchObject({ reason: 'PARAMS_INVALID' })
    await expect(it.offstage.startJobs('a', list)).rejects.toThrow(StartJobsError)
    await expect(it.offstage.startJob('a', 1n)).rejects.toMatchObject({ reason: 'PARAMS_INVALID' })
    expect(it.scheduler.jobs.size).toBe(2)
  })

  test('that is broken off starts nothing more, and its error has the jobs that were started', async () => {
    await using it = await setUpClient()
    const list = Array.from({ length: 6_000 }, (_, n) => n)
    const fault = new Error('my fault')
    const each = (_: unknown, index: number) => {
      if (index === 4_100) throw fault
      return undefined
    }
    const error = await it.offstage.startJobsSettled('a', list, { each }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(StartJobsError)
    expect(error.cause).toBe(fault)
    expect(error.message).toMatch(/broken off with \d+ of 6000 jobs started: my fault/)
    expect(error.outcomes).toHaveLength(6_000)
    const jobs = error.outcomes.filter(({ job }: StartOutcome) => job !== null)
    expect(jobs).toHaveLength(it.scheduler.jobs.size)
    expect(error.outcomes.at(-1)).toMatchObject({ job: null, error: { reason: 'CANCELLED' } })
    expect(it.scheduler.jobs.size).toBeLessThan(6_000)
  })

  test('has the labels its definition makes of the parameters, over those of the start', async () => {
    await using it = await setUpClient()
    const send = defineMethod({
      method: 'mail.send',
      labels: ({ tenant }: { tenant: string }) => ({ tenant }),
    })
    const own = { labels: { tenant: 'other', team: 'air' } }
    await it.offstage.startJob(send, { tenant: 'acme' }, own)
    await it.offstage.startJobs(send, [{ tenant: 'a' }, { tenant: 'b' }], {
      labels: { team: 'air' },
      each: ({ tenant }) => (tenant === 'b' ? { labels: { tenant: 'c', only: 'b' } } : undefined),
    })
    const jobs = [it.scheduler.starts[0]?.job, ...(it.scheduler.bulkStarts[0]?.jobs ?? [])]
    expect(jobs.map((job) => job?.labels)).toEqual([
      { tenant: 'acme', team: 'air' },
      { tenant: 'a', team: 'air' },
      { tenant: 'b', only: 'b' },
    ])
  })

  test('is refused where its definition makes what are no labels', async () => {
    await using it = await setUpClient()
    const wrong = defineMethod<{ n: number }>({
      method: 'mail.send',
      labels: ({ n }) => (n === 0 ? ({ n } as never) : { ['x'.repeat(n)]: '' }),
    })
    await expect(it.offstage.startJob(wrong, { n: 0 })).rejects.toThrow('labels of mail.send')
    const many = it.offstage.startJobs(wrong, [{ n: 1 }, { n: 9_999 }])
    await expect(many).rejects.toThrow('labels of mail.send')
    expect(it.scheduler.jobs.size).toBe(0)
  })

  test('lets each job have options of its own over the common ones', async () => {
    await using it = await setUpClient()
    const each = (n: unknown) => (n === 2 ? { key: `k${n}`, priority: 9 } : undefined)
    await it.offstage.startJobs('a', [1, 2], { priority: 3, labels: { all: 'yes' }, each })
    expect(it.scheduler.bulkStarts[0]?.jobs).toMatchObject([
      { key: '', priority: 3, labels: { all: 'yes' } },
      { key: 'k2', priority: 9, labels: { all: 'yes' } },
    ])
  })

  test('splits calls by the size of their parameters too, and sends large ones through storage', async () => {
    await using it = await setUpClient()
    const list = Array.from({ length: 100 }, (_, n) => 'x'.repeat(60_000 + n))
    const outcomes = await it.offstage.startJobsSettled('a', [...list, 'y'.repeat(70_000)])
    expect(outcomes.every(({ error }) => error === null)).toBe(true)
    expect(it.scheduler.bulkStarts.length).toBeGreaterThan(1)
    expect(it.storage.values.size).toBe(1)
    const last = it.scheduler.bulkStarts.at(-1)?.jobs.at(-1)
    expect(last?.params?.source?.$case).toBe('address')
  })

  test('of nothing asks nothing', async () => {
    await using it = await setUpClient()
    expect(await it.offstage.startJobs('a', [])).toEqual([])
    expect(it.scheduler.bulkStarts).toEqual([])
  })
})

function inlineText(params: { source?: { $case: string; value: unknown } } | undefined): string {
  return String(params?.source?.value)
}
