/** Labels and parameters have any names, those that mean something to JavaScript too: kept wherever they pass, and in nobody's way. */
import { Lane } from '@offstage/proto/jobs'
import { expect, test } from 'vitest'
import { connectNamespaces } from './testing/namespaces.ts'
import { connectSchedules } from './testing/schedules.ts'
import { attachExecutor } from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'
import { startBySql } from './testing/sql-starts.ts'
import { updateNamespace } from './testing/update-namespace.ts'

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']
/** As JSON has it: in a literal `__proto__` would be none of its fields. */
const named = (value: string) => Object.fromEntries(NAMES.map((name) => [name, value]))
const labels = named('x')
const json = (text: string) => ({
  source: { $case: 'inline' as const, value: Buffer.from(text) },
})
const method = 'test.job'

test('labels of any name are kept, told to handlers, found, and made by schedules', async () => {
  await using it = await setup()
  await using executor = await attachExecutor(it.scheduler.address, { hello: { labels } })
  using namespaces = connectNamespaces(it.scheduler.address)
  expect((await namespaces.listExecutors()).executors[0]?.labels).toEqual(labels)
  const { jobId } = await it.jobs.start({ method, labels })
  expect((await it.jobs.get(jobId)).labels).toEqual(labels)
  expect((await executor.assigned(1))[0]?.labels).toEqual(labels)
  await it.jobs.start({ method, labels: named('y') })
  for (const name of NAMES) {
    for (const filter of [
      { labels: Object.fromEntries([[name, 'x']]) },
      { text: `label.${name}:x` },
    ]) {
      const { jobs } = await it.jobs.list(filter)
      expect(jobs.map((job) => job.jobId)).toEqual([jobId])
    }
  }
  const bySql = await startBySql(it.database, { options: { labels } })
  expect((await it.jobs.get(bySql)).labels).toEqual(labels)

  using schedules = connectSchedules(it)
  const job = { method, labels: named('at {{offstage.due_time}}') }
  const timing = { $case: 'cron' as const, value: '0 3 1 1 *' }
  const { scheduleId } = await schedules.create({ scheduleId: 'nightly', job, timing })
  expect((await schedules.get({ scheduleId })).job?.labels).toEqual(job.labels)
  const triggered = await schedules.trigger({ scheduleId })
  const told = (await it.jobs.get(triggered.jobId)).labels
  expect(told).toMatchObject(named(`at ${told['offstage.due_time']}`))
})

test('an expression makes labels of any name, of parameters of any name', async () => {
  await using it = await setup()
  const labelExpressions = Object.fromEntries(NAMES.map((name) => [name, `params["${name}"]`]))
  const definitions = [{ name: method, lane: Lane.LANE_INLINE, labelExpressions }]
  await using _executor = await attachExecutor(it.scheduler.address, { definitions })
  const { jobId } = await it.jobs.start({ method, params: json(JSON.stringify(labels)) })
  expect((await it.jobs.get(jobId)).labels).toEqual(labels)
})

test('what a limit goes by is found whatever else is said', async () => {
  await using it = await setup()
  await using executor = await attachExecutor(it.scheduler.address, { slots: 20 })
  const keyExpression = 'params.?tenant.?id.orValue("") + labels[?"team"].orValue("")'
  const limits = [{ method, keyExpression, maxConcurrency: 1 }]
  await updateNamespace(it.scheduler.address, { limits }, { mask: ['limits'] })
  const team = { team: 'air' }
  const start = async (params: string, more: Record<string, string> = {}) =>
    (await it.jobs.start({ method, params: json(params), labels: { ...team, ...more } })).jobId
  const first = await start('{ "tenant": { "id": "a" } }')
  await start('{ "tenant": { "id": "a" }, "constructor": 1 }')
  await start('{ "tenant": { "id": "a", "constructor": null } }')
  await start(String.raw`{ "tenant": { "id": "a", "c\u006fnstructor": {} } }`)
  await start('{ "tenant": { "id": "a" } }', { constructor: 'x' })
  const other = await start('{ "tenant": { "id": "b" } }')
  const running = await executor.assigned(2)
  expect(running.map(({ jobId }) => jobId)).toEqual([first, other])
})
