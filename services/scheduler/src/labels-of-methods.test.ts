/** Labels that definitions make by expressions, whoever starts a job and however (row J18). */
import { Lane } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { beginSqlStarts, refusalOf } from './testing/sql-starts.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const FAILED = 6
const json = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})
const labelExpressions = {
  tenant: 'params.tenant',
  size: 'params.?size.orValue(null)',
}
const definitions = [{ name: 'test.job', lane: Lane.LANE_INLINE, labelExpressions }]

async function begin() {
  const it = await setup()
  const executor = await attachExecutor(it.scheduler.address, { slots: 10, definitions })
  const start = (params: unknown, labels: Record<string, string> = {}) =>
    it.jobs.start({ method: 'test.job', params: json(params), labels })
  return {
    ...it,
    executor,
    start,
    async labelsOf(params: unknown, labels?: Record<string, string>) {
      const { jobId } = await start(params, labels)
      return (await it.jobs.get(jobId)).labels
    },
    async [Symbol.asyncDispose]() {
      await executor[Symbol.asyncDispose]()
      await it[Symbol.asyncDispose]()
    },
  }
}

test('a start by name alone has the labels of the definition, over its own, and hands them to the handler', async () => {
  await using it = await begin()
  expect(await it.labelsOf({ tenant: 'acme' })).toEqual({ tenant: 'acme' })
  const own = { tenant: 'other', size: 'small', team: 'air' }
  expect(await it.labelsOf({ tenant: 'acme', size: 'large' }, own)).toEqual({
    ...{ tenant: 'acme', size: 'large', team: 'air' },
  })
  // One that is null is not set, whatever the start says.
  expect(await it.labelsOf({ tenant: 7 }, own)).toEqual({ tenant: '7', team: 'air' })
  const [, assigned] = await it.executor.assigned(2)
  expect(assigned?.labels).toMatchObject({ tenant: 'acme', size: 'large' })
  const params = { ...json({ tenant: 'utf8' }), contentType: 'application/JSON ; charset=utf-8' }
  const { jobId } = await it.jobs.start({ method: 'test.job', params })
  expect((await it.jobs.get(jobId)).labels).toEqual({ tenant: 'utf8' })
  const { jobs } = await it.jobs.list({ labels: { tenant: 'acme' } })
  expect(jobs).toHaveLength(2)
})

test('a start for which an expression has no value is refused, naming the label', async () => {
  await using it = await begin()
  const many = Object.fromEntries(
    Array.from({ length: LIMITS.labelsMax }, (_, n) => [`label-${n}`, 'x']),
  )
  for (const [params, labels] of [[{}], [{ tenant: ['a'] }], [{ tenant: 'a' }, many]] as const) {
    const refused = await it.start(params, labels).catch((error) => errorFromStatus(error))
    expect(refused).toMatchObject({
      ...{ reason: 'LABEL_INVALID', violations: [{ field: 'labels[tenant]' }] },
      metadata: { method: 'test.job', label: 'tenant', expression: 'params.tenant' },
    })
  }
})

test.each([
  ['half of a character', String.raw`{ "tenant": "\ud83d" }`, 'half of a character'],
  ['a number whose digits are lost', '{ "tenant": 9007199254740993 }', 'too large to be exact'],
  ['no number', '{ "tenant": 1e999 }', 'no number'],
])(
  'a label that would be %s is refused, and so is the key of a limit',
  async (_what, text, why) => {
    await using it = await begin()
    const refusal = async () => {
      const params = { source: { $case: 'inline' as const, value: Buffer.from(text) } }
      return it.jobs.start({ method: 'test.job', params }).catch((error) => errorFromStatus(error))
    }
    const message = expect.stringContaining(why)
    expect(await refusal()).toMatchObject({ reason: 'LABEL_INVALID', message })
    await using _next = await attachExecutor(it.scheduler.address, { slots: 0 })
    const limits = [{ method: 'test.job', keyExpression: 'params.tenant', maxConcurrency: 1 }]
    await updateNamespace(it.scheduler.address, { limits }, { mask: ['limits'] })
    await expect.poll(refusal).toMatchObject({ reason: 'LIMIT_KEY_INVALID', message })
  },
)

test('a limit goes by the labels that the definition makes', async () => {
  await using it = await begin()
  const limits = [{ method: 'test.job', keyExpression: 'labels["tenant"]', maxConcurrency: 1 }]
  await updateNamespace(it.scheduler.address, { limits }, { mask: ['limits'] })
  for (const tenant of ['a', 'a', 'b']) await it.start({ tenant }, { tenant: 'evaded' })
  const running = await it.executor.assigned(2)
  expect(running.map(({ labels }) => labels.tenant).toSorted()).toEqual(['a', 'b'])
})

test('methods are listed with their expressions, and another announcement replaces them', async () => {
  await using it = await begin()
  using namespaces = connectNamespaces(it.scheduler.address)
  const listed = async () => (await namespaces.listMethods()).methods[0]?.labelExpressions
  expect(await listed()).toEqual(labelExpressions)
  await using _next = await attachExecutor(it.scheduler.address, { slots: 0 })
  await until(async () => Object.keys((await listed()) ?? {}).length === 0)
  expect(await it.labelsOf({}, { own: 'x' })).toEqual({ own: 'x' })
})

test('a hello with a label that can have no value, or no such name, is refused', async () => {
  await using it = await setup()
  const wrong = [
    [{ tenant: 'tenant' }, 'label_expressions[tenant]', 'Unknown variable'],
    [{ tenant: 'params.' }, 'label_expressions[tenant]', 'is no CEL expression'],
    [{ tenant: '' }, 'label_expressions[tenant]', 'must not be empty'],
    [{ all: 'params' }, 'label_expressions[all]', 'must be one of them'],
    [{ x: '1 / 0' }, 'label_expressions[x]', 'can have no value: division by zero'],
    [{ all: 'labels' }, 'label_expressions[all]', 'must be a text, a number or a bool'],
    [{ ['n'.repeat(64)]: 'owner' }, `label_expressions[${'n'.repeat(63)}]`, 'must have a key'],
  ] as const
  for (const [expressions, field, problem] of wrong) {
    await using executor = await attachExecutor(it.scheduler.address, {
      definitions: [{ name: 'test.job', labelExpressions: { ...expressions } }],
    })
    expect(executor.error?.message).toContain(`hello.methods[0].${field}`)
    expect(executor.error?.message).toContain(problem)
  }
})

test('a job that is started by SQL has them too, or fails with the reason', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 10, definitions } })
  const id = await it.start({
    ...{ params: { tenant: 'acme' }, options: { labels: { tenant: 'other', team: 'air' } } },
  })
  const [assigned] = await it.executor.assigned(1)
  expect(assigned?.labels).toEqual({ tenant: 'acme', team: 'air' })
  expect((await it.jobs.get(id)).labels).toEqual({ tenant: 'acme', team: 'air' })
  const wrong = await it.start({ params: {} })
  const { statuses } = await it.jobs.wait([wrong])
  expect(statuses[0]?.completion?.error).toMatchObject({ reason: 'LABEL_INVALID' })
  expect((await it.jobs.get(wrong)).state).toBe(FAILED)
  const later = await refusalOf(it.start({ params: { tenant: 'a' }, options: { delay_ms: 1e9 } }))
  expect(later).toMatchObject({ code: 'OS011' })
})
