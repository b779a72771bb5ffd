/** What a start by SQL may say: the same as one by StartJob, under the same rules, and stored the same (row J24). */
import { SQL_STATES } from '@offstage/proto/sql-states'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { expect, test } from 'vitest'
import { millis } from './testing/draft.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { beginSqlStarts, refusalOf } from './testing/sql-starts.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const YEARS_MS = 10 * 366 * 24 * 3_600_000
const long = (length: number) => 'ü'.repeat(length)
const deadline = (name: string, ms: number) => ({
  spec: { deadlines: { [name]: millis(ms) } },
  options: { deadlines: { [`${name}_ms`]: ms } },
})
const retry = (
  spec: Record<string, unknown>,
  options: Record<string, unknown> = spec,
): { spec: object; options: object } => ({
  spec: { retryPolicy: spec },
  options: { retry_policy: options },
})
const same = (name: string, value: unknown, asked: unknown = value) => ({
  spec: { [name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())]: value },
  options: { [name]: asked },
})
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']))

/** Both ways: what StartJob takes, SQL takes, and the rows are alike. */
const taken: readonly [string, { readonly spec: object; readonly options: object }][] = [
  ['nothing', { spec: {}, options: {} }],
  ['nothing but nulls', { spec: {}, options: { key: null, labels: null, retry_policy: null } }],
  ['a key', same('key', long(200))],
  ['a request id', same('request_id', long(100))],
  ['a display name', same('display_name', long(200))],
  ['the lowest priority', same('priority', -1000)],
  ['the highest priority', same('priority', 1000)],
  ['a lane', same('lane', 2, 'task')],
  ['the lane of processes', same('lane', 4, 'process')],
  ['a pool', same('pool', `A.b_-${'9'.repeat(58)}`)],
  ['a lane and a pool', { spec: { lane: 3, pool: 'gpu' }, options: { lane: 'work', pool: 'gpu' } }],
  ['a version', same('required_version', `1.0.0-rc.1+b:${'9'.repeat(87)}`)],
  [
    'a version and a pool',
    {
      spec: { requiredVersion: '2', pool: 'gpu' },
      options: { required_version: '2', pool: 'gpu' },
    },
  ],
  ['the default pool', same('pool', 'default')],
  ['as many labels as there may be', same('labels', { ...labels(31), [long(63)]: long(255) })],
  ['no labels', same('labels', {})],
  ['a traceparent', same('traceparent', TRACE)],
  ['one of a later version', same('traceparent', `01${TRACE.slice(2)}-more`)],
  ['a tracestate', same('tracestate', 'a=1')],
  ['an additional result', same('want_additional_result', true)],
  ['the longest deadline for the queue', deadline('queue', YEARS_MS)],
  ['the longest deadline for an attempt', deadline('attempt', 24 * 24 * 3_600_000)],
  ['the longest total deadline', deadline('total', YEARS_MS)],
  ['the shortest heartbeat', deadline('heartbeat', 1_000)],
  ['a delay', same('delay', millis(3_600_000))],
  ['a start time', same('start_time', new Date('2099-01-31T12:00:00Z'), '2099-01-31T14:00+02:00')],
  ['a retry policy with defaults', retry({})],
  ['a part of one', retry({ maxAttempts: 1_000, jitter: 0 }, { max_attempts: 1_000, jitter: 0 })],
  [
    'a long first pause',
    retry({ initialBackoff: millis(400_000) }, { initial_backoff_ms: 400_000 }),
  ],
  [
    'a whole retry policy',
    retry(
      {
        ...{ maxAttempts: 3, initialBackoff: millis(10), backoffMultiplier: 1.5 },
        ...{ maxBackoff: millis(20), jitter: 1 },
      },
      {
        ...{ max_attempts: 3, initial_backoff_ms: 10, backoff_multiplier: 1.5 },
        ...{ max_backoff_ms: 20, jitter: 1 },
      },
    ),
  ],
]

const ROW = `
  SELECT namespace, method, state, lane, kind, priority, attempt, failures, revision, owner, attachment_id,
    convert_from(params, 'UTF8')::jsonb AS params, params_address, params_type, key, behind_key, request_id, id_is_request_id,
    parent_id, root_id, labels, options, traceparent, pool, limit_key, limited, cancel_outcome, start_time, finish_time,
    CASE WHEN NOT $2 THEN round(extract(epoch FROM due_time - create_time))::float8 END AS delay_s,
    CASE WHEN $2 THEN due_time END AS due_time,
    round(extract(epoch FROM queue_deadline - create_time))::float8 AS queue_s,
    round(extract(epoch FROM total_deadline - create_time))::float8 AS total_s
  FROM offstage.jobs WHERE id = $1`

test('a start by SQL leaves the row that StartJob leaves', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const definition = {
    ...{ name: 'test.defined', privileged: true },
    retryPolicy: { maxAttempts: 7 },
    deadlines: { queue: millis(60_000), heartbeat: millis(2_000) },
  }
  await using _other = await attachExecutor(it.address, { slots: 0, definitions: [definition] })
  const params = { a: [1, 'ö'] }
  const source = { $case: 'inline' as const, value: Buffer.from(JSON.stringify(params)) }
  for (const method of ['test.job', 'test.defined']) {
    for (const [what, { spec, options }] of taken) {
      const fixed = what === 'a start time'
      const given = 'delay' in options ? { delay_ms: 3_600_000 } : options
      const bySql = await it.start({ method, params, options: { owner: 'ann', ...given } })
      const [own] = await it.ask(ROW, [bySql, fixed])
      await it.ask('DELETE FROM offstage.jobs')
      const started = await it.jobs.start({ method, params: { source }, ...spec }, { user: 'ann' })
      const [other] = await it.ask(ROW, [started.jobId, fixed])
      await it.ask('DELETE FROM offstage.jobs')
      // That it is to run privileged is stored only where it is.
      expect(own, `${method} with ${what}`).toEqual(
        JSON.parse(JSON.stringify(other), (name, value) =>
          name.endsWith('_time') && value ? new Date(value) : value,
        ),
      )
    }
  }
})

const wrong: readonly [field: string, { readonly spec: object; readonly options: object }][] = [
  ['key', same('key', long(201))],
  ['request_id', same('request_id', long(101))],
  ['display_name', same('display_name', long(201))],
  ['priority', same('priority', -1001)],
  ['priority', same('priority', 1001)],
  ['pool', same('pool', 'a b')],
  ['pool', same('pool', 'offstage.session.x')],
  ['pool', same('pool', 'gpu@2')],
  ['required_version', same('required_version', 'a b')],
  ['required_version', same('required_version', '1@2')],
  ['required_version', same('required_version', '1'.repeat(101))],
  ['labels', same('labels', labels(33))],
  ['labels[offstage.schedule]', same('labels', { 'offstage.schedule': 'nightly' })],
  ['labels[]', same('labels', { '': 'a' })],
  ['labels[a]', same('labels', { a: long(256) })],
  ['traceparent', same('traceparent', TRACE.toUpperCase())],
  ['traceparent', same('traceparent', `${TRACE}-more`)],
  ['traceparent', same('traceparent', `ff${TRACE.slice(2)}`)],
  ['traceparent', same('traceparent', TRACE.replace(/[0-9a-f]{32}/, '0'.repeat(32)))],
  ['traceparent', same('traceparent', TRACE.replace(/[0-9a-f]{16}-01/, `${'0'.repeat(16)}-01`))],
  ['tracestate', same('tracestate', long(513))],
  ['deadlines.queue', deadline('queue', 0)],
  ['deadlines.queue', deadline('queue', YEARS_MS + 1)],
  ['deadlines.attempt', deadline('attempt', 24 * 24 * 3_600_000 + 1)],
  ['deadlines.total', deadline('total', 0)],
  ['deadlines.heartbeat', deadline('heartbeat', 999)],
  ['retry_policy.max_attempts', retry({ maxAttempts: 1_001 }, { max_attempts: 1_001 })],
  ['retry_policy.jitter', retry({ jitter: 1.5 }, { jitter: 1.5 })],
  [
    'retry_policy.backoff_multiplier',
    retry({ backoffMultiplier: 0.5 }, { backoff_multiplier: 0.5 }),
  ],
  ['retry_policy.max_backoff', retry({ maxBackoff: millis(10) }, { max_backoff_ms: 10 })],
]

test('what StartJob refuses of the fields SQL refuses too, by the same name', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  for (const [field, { spec, options }] of wrong) {
    const what = `${field}: ${JSON.stringify(options).slice(0, 80)}`
    const other = await it.jobs
      .start({ method: 'test.job', ...spec })
      .then(() => undefined, errorFromStatus)
    expect(other?.violations[0]?.field, what).toBe(field)
    const own = await refusalOf(it.start({ options }))
    expect(own.code, what).toBe('OS001')
    const told = JSON.parse(own.detail)
    expect(told.reason, what).toBe('INVALID_FIELD')
    expect(told.field.replace(/_ms$/, ''), what).toBe(field)
    expect(own.message.startsWith(told.field), what).toBe(true)
  }
  expect((await it.jobs.list()).jobs).toEqual([])
})

test('what only SQL can be asked for wrongly is refused by the name of its field, and says what there is', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const cases: readonly [RegExp, unknown][] = [
    [/^options must be a JSON object$/, [1]],
    [/^options has no "prioritty"$/, { prioritty: 1 }],
    [/^options has no "parent_job_id"$/, { parent_job_id: 'x' }],
    [/^deadlines has no "run_ms"$/, { deadlines: { run_ms: 1 } }],
    [/^deadlines must be a JSON object$/, { deadlines: 5 }],
    [/^retry_policy has no "attempts"$/, { retry_policy: { attempts: 1 } }],
    [/^key must be a text$/, { key: 7 }],
    [/^priority must be a number$/, { priority: '7' }],
    [/^priority must be a whole number$/, { priority: 0.5 }],
    [/^lane must be one of inline, task, work, process$/, { lane: 'fast' }],
    [/^key_conflict_policy must be one of/, { key: 'a', key_conflict_policy: 'maybe' }],
    [/^labels\[a\] must be a text$/, { labels: { a: 1 } }],
    [/^labels must be a JSON object$/, { labels: ['a'] }],
    [/^want_additional_result must be true or false$/, { want_additional_result: 'yes' }],
    [/^delay_ms must be within 0 and/, { delay_ms: -1 }],
    [/^delay_ms excludes start_time/, { delay_ms: 1, start_time: '2099-01-01T00:00:00Z' }],
    [/^start_time must be a time/, { start_time: 'tomorrow' }],
    [/^start_time must be a time/, { start_time: 'infinity' }],
    [
      /^start_time must be a time of the years 1 to 9999/,
      { start_time: '9999-12-31T23:00:00-08:00' },
    ],
    [/^start_time must be a time/, { start_time: '2099-13-01T00:00:00Z' }],
    [/^start_time must be a time/, { start_time: '2099-01-01T00:00:00' }],
    [/^owner must be at most 255/, { owner: 'ann\u200b' }],
    [/^owner must be at most 255/, { owner: ' ann' }],
    [/^retry_policy\.max_attempts must be within/, { retry_policy: { max_attempts: 1e300 } }],
  ]
  for (const [message, options] of cases) {
    const refused = await refusalOf(it.start({ options }))
    expect(refused.message).toMatch(message)
    expect(refused.code).toBe('OS001')
    expect(refused.hint).not.toBe('')
  }
  expect((await refusalOf(it.start({ namespace: 'a b' }))).message).toMatch(/^namespace must be/)
  expect((await refusalOf(it.start({ method: 'a b' }))).message).toMatch(/^method must be segments/)
  const large = await refusalOf(it.start({ params: 'x'.repeat(65_535) }))
  expect(large).toMatchObject({ code: 'OS002' })
  expect(JSON.parse(large.detail)).toEqual({ reason: 'PARAMS_TOO_LARGE', field: 'params' })
  await it.start({ params: 'x'.repeat(65_534) })
  const unknown = await refusalOf(it.start({ method: 'test.jbo' }))
  expect(unknown).toMatchObject({ code: 'OS003' })
  expect(unknown.hint).toMatch(/^Known methods: test\.job\./)
})

test('who may start a method is asked for, and what cannot be read of one is not guessed', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const starters = [
    { roles: ['user'], users: [] },
    { roles: [], users: ['sql:*'] },
    { roles: ['service', 'operator'], users: ['ann', 'b*b%'] },
  ]
  await using _other = await attachExecutor(it.address, {
    slots: 0,
    definitions: starters.map((startableBy, n) => ({ name: `test.${n}`, startableBy })),
  })
  await it.start({ method: 'test.0' })
  await it.start({ method: 'test.1' })
  const refused = await refusalOf(it.start({ method: 'test.2' }))
  expect(refused).toMatchObject({ code: 'OS004' })
  for (const owner of ['ann', 'bob%', 'b*b%'])
    await it.start({ method: 'test.2', options: { owner } })
  for (const owner of ['Ann', 'bob', 'anna', 'a%']) {
    const other = it.start({ method: 'test.2', options: { owner } })
    expect(await refusalOf(other), owner).toMatchObject({ code: 'OS004' })
  }
  await it.ask(
    `UPDATE offstage.methods SET definition = definition || '{"v": 2}' WHERE name = 'test.0'`,
  )
  expect(await refusalOf(it.start({ method: 'test.0' }))).toMatchObject({ code: 'OS005' })
})

test('each SQLSTATE of a refusal tells one reason, by the list for programs', async () => {
  await using it = await beginSqlStarts({})
  const { rows } = await it.application.query<{ source: string }>({
    name: '',
    text: `SELECT prosrc AS source FROM pg_proc WHERE pronamespace = 'offstage'::regnamespace`,
  })
  const reasons = new Map<string, Set<string>>()
  const note = (reason = '', state = '') =>
    reasons.set(state, (reasons.get(state) ?? new Set()).add(reason))
  for (const { source } of rows) {
    for (const [, reason, state] of source.matchAll(/WHEN '([A-Z_]+)' THEN '(OS\d+)'/g)) {
      if (state !== 'OS000') note(reason, state)
    }
    // What is raised by hand says its reason in its detail.
    const [, state] = /ERRCODE = '(OS\d+)'/.exec(source) ?? []
    for (const [, reason] of source.matchAll(/'reason', '([A-Z_]+)'/g)) {
      if (state !== undefined) note(reason, state)
    }
  }
  const listed = Object.entries(SQL_STATES).map(([reason, state]) => [state, new Set([reason])])
  expect(Object.fromEntries(reasons)).toEqual(Object.fromEntries(listed))
})
