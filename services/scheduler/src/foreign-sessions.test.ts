/**
 * A session, and the attempts it holds, belong to the user and the namespace it attached with: a stranger who names them learns
 * nothing, ends nothing, and is answered as if there were none.
 */
import { randomUUID } from 'node:crypto'
import { openPostgres } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { describe, expect, test } from 'vitest'
import { start } from './testing/on-postgres.ts'
import {
  attachExecutor,
  type ScriptedExecutor,
  type ScriptOptions,
} from './testing/scripted-executor.ts'
import { setup } from './testing/setup.ts'

const STRANGERS: readonly [string, ScriptOptions][] = [
  ['of another user', { user: 'mallory:executor' }],
  ['of another namespace', { user: 'owner:executor', namespace: 'elsewhere' }],
]

/** An owner's executor with one job running. */
async function running() {
  const it = await start({ config: { crashLimit: 5 } })
  const owner = await attachExecutor(it.address, { user: 'owner:executor', slots: 1 })
  const { jobId } = await it.jobs.start({ method: 'test.job' })
  const [{ attempt = 0 } = {}] = await owner.assigned(1)
  const { sessionId } = owner
  return {
    ...it,
    owner,
    sessionId,
    ref: { jobId, attempt },
    async [Symbol.asyncDispose]() {
      owner.cut()
      await it[Symbol.asyncDispose]()
    },
  }
}

/** What came back to an executor, but for what its own session is called. */
function heard(executor: ScriptedExecutor) {
  const { assignments, cancels, fenced, acknowledged, ended, error } = executor
  return { assignments, cancels, fenced, acknowledged, ended, error }
}

describe.each(STRANGERS)('a stranger %s', (_who, stranger) => {
  test('who attaches with the session id of another takes neither its stream nor its jobs', async () => {
    await using it = await running()
    const { sessionId, ref, owner } = it
    await using thief = await attachExecutor(it.address, {
      ...stranger,
      sessionId,
      running: [ref],
    })
    await until(() => thief.fenced.length > 0, { what: 'the answer of an unknown attempt' })
    const missing = { jobId: randomUUID(), attempt: 1 }
    await using nobody = await attachExecutor(it.address, { ...stranger, running: [missing] })
    await until(() => nobody.fenced.length > 0, { what: 'the answer of a missing attempt' })
    expect(heard(thief)).toEqual({ ...heard(nobody), fenced: [ref] })
    owner.succeed(...owner.assignments)
    await until(() => owner.acknowledged.length > 0, { what: 'the result to be taken' })
    expect([owner.ended, owner.fenced]).toEqual([false, []])
    expect((await it.jobs.get(ref.jobId)).state).toBe(JobState.JOB_STATE_SUCCEEDED)
  })

  test('takes nothing on another replica either, nor by calling it its lost session', async () => {
    await using it = await running()
    const { sessionId, ref, owner } = it
    await using database = await openPostgres({ url: it.url, poolSize: 2 })
    await using other = await setup({ database })
    const { address } = other.scheduler
    await using _thief = await attachExecutor(address, { ...stranger, sessionId, running: [ref] })
    await using _heir = await attachExecutor(address, { ...stranger, lostSessionId: sessionId })
    // Longer than the lease: one that was ended would not be renewed.
    const { rows } = await database.query<{ round: number }>(ROUND)
    await until(async () => {
      const now = await database.query<{ round: number }>(ROUND)
      return (now.rows[0]?.round ?? 0) > (rows[0]?.round ?? 0) + 10
    })
    owner.succeed(...owner.assignments)
    await until(() => owner.acknowledged.length > 0, { what: 'the result to be taken' })
    expect([owner.ended, owner.fenced]).toEqual([false, []])
  })

  test('neither spares a lost session its charge nor takes it back', async () => {
    await using it = await running()
    const { sessionId, ref, owner } = it
    await using _thief = await attachExecutor(it.address, { ...stranger, sessionId, slots: 0 })
    owner.cut()
    await until(async () => (await it.jobs.get(ref.jobId)).crashCount === 1)
    await using _heir = await attachExecutor(it.address, {
      ...stranger,
      lostSessionId: sessionId,
      slots: 0,
    })
    const job = await it.jobs.get(ref.jobId)
    expect([job.crashCount, job.state]).toEqual([1, JobState.JOB_STATE_QUEUED])
  })

  test('who reports on the attempt of another is not heard, and fenced as for one that is missing', async () => {
    await using it = await running()
    const { ref, owner } = it
    await using thief = await attachExecutor(it.address, { ...stranger, slots: 1 })
    const missing = { jobId: randomUUID(), attempt: 1 }
    for (const attempt of [missing, ref]) {
      thief.say({
        progress: [{ ...attempt, progress: { percent: 99, text: 'mine', revision: 1 } }],
        messages: [{ ...attempt, number: 1, severity: 1, text: 'mine' }],
        waiting: [{ ...attempt, waiting: true }],
        handedBack: [attempt],
        results: [{ ...attempt, outcome: { $case: 'succeeded', value: {} } }],
      })
    }
    await until(() => thief.fenced.length === 2, { what: 'both results to be fenced' })
    expect(heard(thief)).toMatchObject({ fenced: [missing, ref], acknowledged: [] })
    const job = await it.jobs.get(ref.jobId)
    expect(job).toMatchObject({ state: JobState.JOB_STATE_RUNNING, progress: undefined })
    expect(job.attempts).toMatchObject([{ executorSessionId: owner.sessionId }])
    owner.succeed(...owner.assignments)
    await until(() => owner.acknowledged.length > 0, { what: 'the result of its holder' })
  })
})

test('the session that comes back as who it was goes on with its jobs', async () => {
  await using it = await running()
  const { sessionId, ref, owner } = it
  owner.cut()
  await using again = await attachExecutor(it.address, {
    user: 'owner:executor',
    sessionId,
    running: [ref],
  })
  again.succeed(...owner.assignments)
  await until(() => again.acknowledged.length > 0, { what: 'the result to be taken' })
  expect(again.fenced).toEqual([])
})

const ROUND = { name: '', text: 'SELECT round FROM offstage.lease_rounds' }
