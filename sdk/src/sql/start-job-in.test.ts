import { context, propagation, trace } from '@opentelemetry/api'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { keyText } from '../client/job-key.ts'
import { defineMethod } from '../jobs/mod.ts'
import { startJobIn, startJobsIn } from './mod.ts'

const report = defineMethod({
  method: 'reports.build',
  params: z.object({ tenant: z.string(), top: z.number().default(20) }),
  labels: ({ tenant }) => ({ tenant }),
})

/** Notes what it is asked, and answers as offstage.start_job and start_jobs do. */
function recordingClient() {
  const asked: unknown[][] = []
  return {
    asked,
    async query(text: string, values: unknown[]) {
      asked.push(values)
      const [, , params] = values
      if (!text.includes('start_jobs')) return { rows: [{ id: `id-${asked.length}` }] }
      return { rows: [{ ids: (params as string[]).map((_, n) => `id-${asked.length}-${n}`) }] }
    },
  }
}

const failing = (error: Error) => ({ query: () => Promise.reject(error) })
const optionsOf = (values: unknown[] = []) => JSON.parse(String(values[3]))

test('a start says the method, the parameters as they were given, and every option by its name in SQL', async () => {
  const client = recordingClient()
  const id = await startJobIn(
    client,
    report,
    { tenant: 'acme' },
    {
      ...{ key: { tenant: 'acme', day: 3 }, onKeyConflict: 'queue-behind', requestId: 'r' },
      ...{ lane: 'task', pool: 'gpu', priority: -5, labels: { a: 'b' }, displayName: 'Report' },
      ...{ startAfter: 5_000, additionalResult: true, namespace: 'acme', owner: 'svc' },
      retry: {
        maxAttempts: 3,
        initialBackoffMs: 1,
        backoffMultiplier: 2,
        backoffMsMax: 3,
        jitter: 0,
      },
      deadlines: { queueMs: 1, attemptMs: 2, totalMs: 3, heartbeatMs: 1_000 },
    },
  )
  expect(id).toBe('id-1')
  const [values] = client.asked
  expect(values?.slice(0, 3)).toEqual(['acme', 'reports.build', '{"tenant":"acme"}'])
  expect(optionsOf(values)).toEqual({
    ...{
      key: keyText({ day: 3, tenant: 'acme' }),
      key_conflict_policy: 'queue-behind',
      request_id: 'r',
    },
    ...{ lane: 'task', pool: 'gpu', priority: -5, display_name: 'Report', delay_ms: 5_000 },
    ...{ want_additional_result: true, owner: 'svc', labels: { a: 'b', tenant: 'acme' } },
    deadlines: { queue_ms: 1, attempt_ms: 2, total_ms: 3, heartbeat_ms: 1_000 },
    retry_policy: {
      ...{ max_attempts: 3, initial_backoff_ms: 1, backoff_multiplier: 2 },
      ...{ max_backoff_ms: 3, jitter: 0 },
    },
  })
})

test('what is not given is not said, and a time is said with its zone', async () => {
  const client = recordingClient()
  await startJobIn(client, 'reports.build')
  await startJobIn(client, 'reports.build', null, { startAfter: new Date(0) })
  expect(client.asked[0]).toEqual(['default', 'reports.build', null, '{"labels":{}}'])
  expect(client.asked[1]?.[2]).toBe('null')
  expect(optionsOf(client.asked[1])).toEqual({ labels: {}, start_time: '1970-01-01T00:00:00.000Z' })
})

test('the trace of the caller goes along', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => setter.set(carrier, 'traceparent', traceparent),
    extract: (given) => given,
    fields: () => [],
  })
  try {
    const client = recordingClient()
    const spanContext = {
      traceId: '0'.repeat(31).padEnd(32, '1'),
      spanId: '1'.repeat(16),
      traceFlags: 1,
    }
    const active = trace.setSpanContext(context.active(), spanContext)
    await context.with(active, () => startJobIn(client, 'reports.build'))
    expect(optionsOf(client.asked[0])).toEqual({ labels: {}, traceparent })
  } finally {
    propagation.disable()
  }
})

test('many are started by a statement for each thousand, in order, each with its own options', async () => {
  const client = recordingClient()
  const list = Array.from({ length: 1_001 }, (_, n) => ({ tenant: `${n}` }))
  const ids = await startJobsIn(client, report, list, {
    priority: 3,
    each: ({ tenant }, index) => (index === 1_000 ? { key: tenant } : undefined),
  })
  expect(ids).toHaveLength(1_001)
  expect([ids[0], ids[1_000]]).toEqual(['id-1-0', 'id-2-0'])
  const [, [, , texts, options] = []] = client.asked
  expect(texts).toEqual(['{"tenant":"1000"}'])
  expect(options).toEqual([
    JSON.stringify({ key: '1000', priority: 3, labels: { tenant: '1000' } }),
  ])
  expect(await startJobsIn(client, report, [])).toEqual([])
  expect(client.asked).toHaveLength(2)
})

test('what cannot be sent is refused before the transaction is touched', async () => {
  const client = recordingClient()
  const wrong: readonly [unknown, string][] = [
    [{ tenant: 7 }, 'params.tenant'],
    [{}, 'params.tenant'],
  ]
  for (const [params, field] of wrong) {
    await expect(startJobIn(client, report, params as never)).rejects.toMatchObject({
      reason: 'PARAMS_INVALID',
      violations: [{ field }],
    })
  }
  for (const params of [new Uint8Array(3), new ArrayBuffer(3), { big: 7n }]) {
    const start = startJobIn(client, 'reports.build', params)
    await expect(start).rejects.toMatchObject({ reason: 'PARAMS_INVALID' })
  }
  const misspelled = startJobIn(client, 'reports.build', {}, { prio: 1 } as never)
  await expect(misspelled).rejects.toThrow(/^startJobIn has no option prio; it has/)
  const inline = startJobIn(client, 'reports.build', {}, { inlineWaitMs: 1 } as never)
  await expect(inline).rejects.toThrow(/^startJobIn has no option inlineWaitMs/)
  const keyed = startJobsIn(client, 'reports.build', [{}], { key: 'k' } as never)
  await expect(keyed).rejects.toThrow(/^startJobsIn has no option key/)
  await expect(startJobIn(client, 'no method')).rejects.toThrow(/^method/)
  const wrapper = { name: 'seal', wrap: (bytes: Buffer) => bytes, unwrap: (bytes: Buffer) => bytes }
  for (const codec of ['cbor', { wrappers: [wrapper] }] as const) {
    const sealed = { kind: 'offstage.method', method: 'reports.sealed', codec } as const
    await expect(startJobIn(client, sealed as never, {})).rejects.toThrow(
      /^reports.sealed has a codec/,
    )
    await expect(startJobsIn(client, sealed as never, [])).rejects.toThrow(/has a codec/)
  }
  expect(client.asked).toEqual([])
})

test('a refusal of the function is an OffstageError with its reason, and any other error is passed on', async () => {
  const detail = '{"reason":"JOB_KEY_TAKEN","field":"key","job_id":"7","owner":"ann"}'
  const refused = Object.assign(new Error('key "a" is held'), { code: 'OS008', detail })
  await expect(startJobIn(failing(refused), 'reports.build')).rejects.toMatchObject({
    ...{ name: 'OffstageError', reason: 'JOB_KEY_TAKEN', code: 6, message: 'key "a" is held' },
    ...{ metadata: { job_id: '7', owner: 'ann' }, violations: [], cause: refused },
  })
  const field = { code: 'OS001', detail: '{"field":"pool"}' }
  const wrong = Object.assign(new Error('pool must be'), field)
  await expect(startJobIn(failing(wrong), 'reports.build')).rejects.toMatchObject({
    ...{ reason: 'INVALID_FIELD', violations: [{ field: 'pool', description: 'pool must be' }] },
  })
  const bare = Object.assign(new Error('pool must be'), { code: 'OS001' })
  await expect(startJobIn(failing(bare), 'reports.build')).rejects.toMatchObject({
    reason: 'INVALID_FIELD',
  })
  const nul = Object.assign(new Error('unsupported Unicode'), { code: '22P05' })
  await expect(startJobIn(failing(nul), 'reports.build', '\0')).rejects.toMatchObject({
    ...{ reason: 'PARAMS_INVALID', violations: [{ field: 'params' }] },
  })
  const others = [Object.assign(new Error('deadlock'), { code: '40P01' }), new Error('gone')]
  for (const error of others) {
    await expect(startJobIn(failing(error), 'reports.build')).rejects.toBe(error)
  }
})

test('parameters are typed by the definition, or by the type of a job', () => {
  const client = recordingClient()
  expectTypeOf(startJobIn<typeof report>).returns.resolves.toBeString()
  const never = () => {
    // @ts-expect-error the tenant is missing
    void startJobIn(client, report, {})
    // @ts-expect-error so it is here
    void startJobIn<typeof report>(client, 'reports.build', { top: 1 })
    void startJobsIn(client, report, [{ tenant: 'a' }])
  }
  expect(never).toBeTypeOf('function')
})
