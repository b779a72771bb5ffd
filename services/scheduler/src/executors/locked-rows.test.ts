/** Executors that come back while rows of their jobs are locked by somebody else. */
import { until } from '@offstage/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'

test('sessions that wait for rows keep no other from attaching, and attach once the rows are free', async () => {
  await using it = await start({ config: { sessionLeaseMs: 3_600_000 } })
  const methods = ['test.free']
  const first = await attachExecutor(it.address, { methods, slots: 0 })
  await it.jobs.start({ method: 'test.free' })
  first.cut()
  const sessions = await Promise.all(
    ['one', 'two', 'three'].map(async (name) => {
      const method = `test.${name}`
      const executor = await attachExecutor(it.address, { methods: [method] })
      await it.jobs.start({ method })
      const running = (await executor.assigned(1)).map(({ jobId, attempt }) => ({ jobId, attempt }))
      return { executor, again: { methods: [method], running, sessionId: executor.sessionId } }
    }),
  )
  const client = new Client({ connectionString: it.url })
  await client.connect()
  await using resources = new AsyncDisposableStack()
  resources.defer(() => client.end())
  await client.query('BEGIN')
  await client.query('SELECT FROM offstage.jobs WHERE state = 3 FOR UPDATE')
  const waiting = await Promise.all(
    sessions.map(({ executor, again }) => {
      executor.cut()
      return attachExecutor(it.address, { ...again, welcome: false })
    }),
  )
  await using free = await attachExecutor(it.address, { methods, welcome: false })
  await until(() => free.assignments.length > 0, { timeoutMs: 15_000 })
  await until(() => waiting.every(({ ended }) => ended), { timeoutMs: 15_000 })
  expect(waiting.map(({ error }) => error?.message)).toEqual(
    waiting.map(() => expect.stringContaining('UNAVAILABLE')),
  )
  await client.query('COMMIT')
  for (const { again } of sessions) {
    await using executor = await attachExecutor(it.address, again)
    expect(executor.ended).toBe(false)
    expect(executor.fenced).toEqual([])
  }
})
