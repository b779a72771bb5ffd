/** Limits that definitions of methods have hold where nobody has set others (row J20). */
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { start } from './testing/on-postgres.ts'
import { attachExecutor, type ScriptOptions } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const { JOB_STATE_QUEUED: QUEUED, JOB_STATE_RUNNING: RUNNING } = JobState
const job = { method: 'test.job' }

interface Limit {
  readonly method?: string
  readonly maxConcurrency?: number
  readonly keyExpression?: string
  readonly rate?: number
  readonly maxQueued?: number
}

async function begin(open: typeof start | typeof setup = start) {
  const it = await open()
  const { address } = it.scheduler
  const namespaces = connectNamespaces(address)
  return {
    ...it,
    namespaces,
    /** An executor of a release whose definition has these limits. */
    deploy: (limits: readonly Limit[], more: ScriptOptions = {}) =>
      attachExecutor(address, {
        slots: 50,
        definitions: [{ name: 'test.job', lane: 1, limits: [...limits] }],
        ...more,
      }),
    set: (...limits: readonly Limit[]) =>
      updateNamespace(
        address,
        { limits: limits.map((limit) => ({ ...job, ...limit })) },
        { mask: ['limits'] },
      ),
    running: async () => (await it.jobs.list({ states: [RUNNING] })).jobs.length,
    async epoch() {
      const { rows } = await it.database.query<{ epoch: number }>({
        name: '',
        text: 'SELECT epoch FROM offstage.gate_epoch',
      })
      return rows[0]?.epoch
    },
    async [Symbol.asyncDispose]() {
      namespaces[Symbol.dispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

test.for([
  ['PGlite', setup],
  ['PostgreSQL', start],
] as const)(
  'the limits of a definition hold until some are set, which win whatever is deployed, and hold again when those are taken away, on %s',
  async ([, open]) => {
    await using it = await begin(open)
    await using executor = await it.deploy([{ maxConcurrency: 2 }])
    await it.jobs.startMany(Array.from({ length: 8 }, () => job))
    await executor.assigned(2)
    expect(await it.running()).toBe(2)
    const [queued] = (await it.jobs.list({ states: [QUEUED] })).jobs
    expect((await it.jobs.explain(queued?.jobId ?? '')).text).toMatch(
      /^Of test\.job, by its definition, 2 jobs may run at once, and as many do; /,
    )
    expect(await it.namespaces.get()).toMatchObject({
      limits: [],
      announcedLimits: [{ ...job, maxConcurrency: 2 }],
    })
    const updated = await it.set({ maxConcurrency: 4 })
    expect(updated).toMatchObject({ limits: [{ maxConcurrency: 4 }], announcedLimits: [] })
    await executor.assigned(4)
    // A deployment meanwhile.
    await using _next = await it.deploy([{ maxConcurrency: 3 }], { slots: 0 })
    expect(await it.namespaces.get()).toMatchObject({
      limits: [{ maxConcurrency: 4 }],
      announcedLimits: [],
    })
    executor.succeed(...executor.assignments.slice(0, 2))
    await executor.assigned(6)
    expect(await it.set()).toMatchObject({
      limits: [],
      announcedLimits: [{ ...job, maxConcurrency: 3 }],
    })
    executor.succeed(...executor.assignments.slice(2, 4))
    await executor.assigned(7)
    expect(await it.running()).toBe(3)
  },
)

test('what was deployed last holds, also that there are none, and saying it again stops nobody', async () => {
  await using it = await begin()
  await using _first = await it.deploy([{ maxConcurrency: 1 }, { keyExpression: 'owner', rate: 5 }])
  const epoch = await it.epoch()
  const sessionId = crypto.randomUUID()
  for (let again = 0; again < 2; again += 1) {
    await using _same = await it.deploy([
      { maxConcurrency: 1 },
      { ...job, keyExpression: 'owner', rate: 5 },
    ])
  }
  expect(await it.epoch()).toBe(epoch)
  await using _second = await it.deploy([{ maxConcurrency: 2 }], { sessionId })
  const limitsNow = async () =>
    (await it.namespaces.get())?.announcedLimits.map(({ maxConcurrency, keyExpression }) => ({
      ...{ maxConcurrency, keyExpression },
    }))
  expect(await limitsNow()).toEqual([{ maxConcurrency: 2, keyExpression: '' }])
  await using last = await it.deploy([])
  expect(await limitsNow()).toEqual([])
  await it.jobs.startMany(Array.from({ length: 5 }, () => job))
  await until(async () => (await it.running()) === 5, { what: 'all of them' })
  expect(last.error).toBeUndefined()
})

test('limits that a deployment brings count what runs already, by each value of their key as well', async () => {
  await using it = await begin()
  await using executor = await it.deploy([])
  await it.jobs.startMany([job, job])
  await executor.assigned(2)
  await using next = await it.deploy([{ maxConcurrency: 3 }], { slots: 10 })
  await it.jobs.startMany([job, job])
  await until(async () => (await it.running()) === 3, { what: 'the third' })
  expect((await it.jobs.list({ states: [QUEUED] })).jobs).toHaveLength(1)
  const begun = () => executor.assignments.length + next.assignments.length
  await until(() => begun() === 3, { what: 'it to be assigned' })
  await using _keyed = await it.deploy([{ keyExpression: 'labels["t"]', maxConcurrency: 1 }], {
    slots: 10,
  })
  const of = (t: string) => ({ ...job, labels: { t } })
  const both = [await it.jobs.start(of('a')), await it.jobs.start(of('a'))]
  const explained = () => Promise.all(both.map(({ jobId }) => it.jobs.explain(jobId)))
  const texts = async () => (await explained()).map(({ text }) => text).sort()
  // Until one begins nothing holds the other back.
  const heldBack = expect.stringMatching(/whose labels\["t"\] is "a", by its/)
  await expect.poll(texts).toEqual(['It runs.', heldBack])
})

test('settings of others leave what definitions say, and a queue that is full by one refuses', async () => {
  await using it = await begin()
  await using _executor = await it.deploy([{ maxQueued: 1 }], { slots: 0 })
  await it.set({ method: 'test.other', maxConcurrency: 1 })
  expect(await it.namespaces.get()).toMatchObject({
    limits: [{ method: 'test.other' }],
    announcedLimits: [{ ...job, maxQueued: 1 }],
  })
  await it.jobs.start(job)
  await expect(it.jobs.start(job)).rejects.toThrow('1 jobs of test.job wait to begin')
})

test('limits of a definition that cannot be are refused, naming each field', async () => {
  await using it = await begin()
  const refused = async (limits: readonly Limit[]) => {
    await using executor = await it.deploy(limits, { welcome: false })
    await until(() => executor.error !== undefined, { what: 'the refusal' })
    return executor.error?.details
  }
  expect(await refused([{ maxConcurrency: -1 }])).toMatch(
    /hello\.methods\[0\]\.limits\[0\]\.max_concurrency must not be negative/,
  )
  expect(await refused([{}])).toMatch(/hello\.methods\[0\]\.limits\[0\] limits nothing/)
  expect(await refused([{ method: 'test.other', maxQueued: 1 }])).toMatch(
    /hello\.methods\[0\]\.limits\[0\]\.method must be test\.job, or empty/,
  )
  expect(await refused([{ maxQueued: 1 }, { maxConcurrency: 1 }])).toMatch(/one of each/)
  expect(await refused([{ keyExpression: 'tenant' }])).toMatch(/limits\[0\]\.key_expression is no/)
  expect(await refused(Array.from({ length: 3 }, () => ({ rate: 1 })))).toMatch(/at most 2/)
})
