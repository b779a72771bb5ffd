/** Results, reports and claims that meet trouble in the database: nothing is stranded (guarantees 2 and 4). */
import type { Database } from '@offstage/kit/database'
import { JobState } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { start } from '../testing/on-postgres.ts'
import { attachExecutor } from '../testing/scripted-executor.ts'

const job = { method: 'test.job' }
const json = (value: unknown) => ({
  source: { $case: 'inline' as const, value: Buffer.from(JSON.stringify(value)) },
})
const succeeded = (value: unknown) => ({ $case: 'succeeded' as const, value: json(value) })

/** The database fails what records this result; `times` bounds how often. */
async function failRecording(database: Database, result: unknown, state: string, times = 1e9) {
  await database.query({
    name: '',
    text: `
      CREATE SEQUENCE trouble;
      CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('trouble') <= ${times} THEN RAISE EXCEPTION 'trouble' USING ERRCODE = '${state}'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER trouble BEFORE UPDATE ON offstage.jobs FOR EACH ROW
        WHEN (convert_from(NEW.result, 'UTF8') = '${JSON.stringify(result)}') EXECUTE FUNCTION trouble();`,
  })
}

test('a result the database refuses fails its own job and no other', async () => {
  await using it = await start()
  await failRecording(it.database, 'poison', '22P05')
  await using executor = await attachExecutor(it.address)
  const [bad, good] = [await it.jobs.start(job), await it.jobs.start(job)]
  await executor.assigned(2)
  executor.say({
    results: [
      { jobId: bad.jobId, attempt: 1, outcome: succeeded('poison') },
      { jobId: good.jobId, attempt: 1, outcome: succeeded('fine') },
    ],
  })
  await it.jobs.wait([bad.jobId, good.jobId])
  expect(await it.jobs.get(good.jobId)).toMatchObject({ state: JobState.JOB_STATE_SUCCEEDED })
  expect(await it.jobs.get(bad.jobId)).toMatchObject({
    state: JobState.JOB_STATE_FAILED,
    completion: { error: { reason: 'RESULT_NOT_RECORDED', retryable: false } },
  })
  await until(() => executor.acknowledged.length === 2)
})

test.each(['40P01', '57014', '53100'])(
  'a result waits until SQLSTATE %s has passed',
  async (state) => {
    await using it = await start()
    await failRecording(it.database, 'late', state, 2)
    await using executor = await attachExecutor(it.address)
    const { jobId } = await it.jobs.start(job)
    await executor.assigned(1)
    executor.say({ results: [{ jobId, attempt: 1, outcome: succeeded('late') }] })
    const { satisfied } = await it.jobs.wait([jobId])
    expect(satisfied).toBe(true)
    expect(await it.jobs.get(jobId)).toMatchObject({ state: JobState.JOB_STATE_SUCCEEDED })
  },
)

test('what is cut of an error stays text, and NUL in an extra is left out', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address)
  const { jobId } = await it.jobs.start(job)
  await executor.assigned(1)
  executor.say({
    messages: [{ jobId, attempt: 1, number: 1, text: 'a', extra: { 'a\0': ['\0b', '\\u0000'] } }],
    progress: [{ jobId, attempt: 1, progress: { percent: 1, extra: { a: '\0' }, revision: 1 } }],
    results: [
      {
        jobId,
        attempt: 1,
        outcome: {
          $case: 'failed',
          value: { brief: `${'a'.repeat(999)}😀😀`, detail: '', reason: 'X', retryable: false },
        },
      },
    ],
  })
  await it.jobs.wait([jobId])
  const found = await it.jobs.get(jobId)
  expect(found.completion?.error?.brief).toBe(`${'a'.repeat(999)}😀`)
  expect(found.progress?.extra).toEqual({ a: '' })
  const { rows } = await it.database.query<{ extra: unknown }>({
    name: '',
    text: 'SELECT extra FROM offstage.job_messages',
  })
  expect(rows).toEqual([{ extra: { a: ['b', '\\u0000'] } }])
})

test('jobs of a claim whose answer was lost are found, and run', async () => {
  let isLost = false
  const between = (database: Database): Database => ({
    ...database,
    async query(statement, values) {
      const result = await database.query(statement, values)
      if (statement.name !== 'claim_jobs' || isLost || result.rows.length === 0)
        return result as never
      isLost = true
      throw new Error('Connection terminated unexpectedly')
    },
  })
  await using it = await start({ between })
  await using first = await attachExecutor(it.address, { slots: 0 })
  const ids = (await it.jobs.startMany([job, job])).map(({ outcome }) =>
    outcome?.$case === 'started' ? outcome.value.jobId : '',
  )
  first.say({ credits: [{ lane: 1, slots: 2 }] })
  const assigned = await first.assigned(2)
  expect(isLost).toBe(true)
  expect(assigned.map(({ attempt }) => attempt)).toEqual([2, 2])
  first.succeed(...assigned)
  const { satisfied } = await it.jobs.wait(ids)
  expect(satisfied).toBe(true)
})

/** As after power loss: the claim had committed, but not to the disk. */
const FORGET_CLAIMS = `UPDATE offstage.jobs
  SET state = ${JobState.JOB_STATE_QUEUED}, attempt = attempt - 1, attachment_id = NULL WHERE attachment_id IS NOT NULL`

test('a claim that the database has forgotten is made again where the job runs, which goes on and ends once', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start(job)
  const [assignment] = await executor.assigned(1)
  await it.database.query({ name: '', text: FORGET_CLAIMS })
  executor.say({ credits: [{ lane: 1, slots: 1 }] })
  await until(async () => (await it.jobs.get(jobId)).state === JobState.JOB_STATE_RUNNING, {
    what: 'the claim made again',
  })
  executor.say({ results: [{ jobId, attempt: 1, outcome: succeeded('once') }] })
  expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
  expect([assignment, executor.assignments]).toMatchObject([{ attempt: 1 }, [{ jobId }]])
  expect([executor.ended, executor.fenced]).toEqual([false, []])
  // The slot that was taken for it is still to be had.
  const next = await it.jobs.start(job)
  expect((await executor.assigned(2))[1]).toMatchObject({ jobId: next.jobId })
})

test('a job whose claim the database has forgotten has the result of who got it then, and of nobody else', async () => {
  await using it = await start()
  await using first = await attachExecutor(it.address, { slots: 1 })
  const { jobId } = await it.jobs.start(job)
  await first.assigned(1)
  await using second = await attachExecutor(it.address, { slots: 1 })
  await it.database.query({ name: '', text: FORGET_CLAIMS })
  await second.assigned(1)
  first.say({ results: [{ jobId, attempt: 1, outcome: succeeded('first') }] })
  await until(() => first.fenced.length === 1, { what: 'the word of the first one fenced' })
  second.say({ results: [{ jobId, attempt: 1, outcome: succeeded('second') }] })
  expect((await it.jobs.wait([jobId])).satisfied).toBe(true)
  expect((await it.jobs.get(jobId)).completion?.result).toMatchObject(json('second'))
})

test('a job that a replica frozen for long gave to an executor forgotten since runs elsewhere', async () => {
  await using it = await start({ config: { claimSweepMs: 50 } })
  await using executor = await attachExecutor(it.address, { slots: 0 })
  const { jobId } = await it.jobs.start(job)
  const text = `UPDATE offstage.jobs SET state = 3, attempt = 1, attachment_id = gen_random_uuid(), start_time = now()`
  await it.database.query({ name: '', text })
  executor.say({ credits: [{ lane: 1, slots: 1 }] })
  expect(await executor.assigned(1)).toMatchObject([{ jobId, attempt: 2 }])
})

/** As if a newer release had written it, or a hand. */
async function makeUnreadable(database: Database, jobId: string) {
  const text = `UPDATE offstage.jobs SET options = '{"v": 2}' WHERE id = $1::uuid`
  await database.query({ name: '', text }, [jobId])
}

const UNREADABLE = {
  state: JobState.JOB_STATE_FAILED,
  completion: { error: { reason: 'JOB_UNREADABLE', retryable: false } },
}

test('a claimed job that cannot be read fails and says why; its neighbours run, and its slot is free', async () => {
  await using it = await start()
  await using executor = await attachExecutor(it.address, { slots: 2 })
  const slots = executor.assigned(2)
  const busy = [await it.jobs.start(job), await it.jobs.start(job)]
  const running = [...(await slots)]
  const [bad, ...good] = [
    await it.jobs.start(job),
    await it.jobs.start(job),
    await it.jobs.start(job),
  ]
  await makeUnreadable(it.database, bad.jobId)
  executor.succeed(...running)
  const assigned = (await executor.assigned(4)).slice(2)
  expect(assigned.map(({ jobId }) => jobId)).toEqual(good.map(({ jobId }) => jobId))
  const { statuses } = await it.jobs.wait([bad.jobId])
  expect(statuses[0]).toMatchObject(UNREADABLE)
  expect(statuses[0]?.completion?.error?.detail).toBe(
    `Job ${bad.jobId}: stored job options have version 2, this release reads 1.`,
  )
  executor.succeed(...assigned)
  const ids = [...busy, ...good].map(({ jobId }) => jobId)
  expect((await it.jobs.wait(ids)).satisfied).toBe(true)
})

test('an executor whose job cannot be read any more attaches, gives it up and keeps the others', async () => {
  await using it = await start()
  const first = await attachExecutor(it.address)
  const [bad, good] = [await it.jobs.start(job), await it.jobs.start(job)]
  const running = [...(await first.assigned(2))]
  await makeUnreadable(it.database, bad.jobId)
  first.cut()
  await using again = await attachExecutor(it.address, { sessionId: first.sessionId, running })
  await until(() => again.fenced.length > 0)
  expect(again.fenced.map(({ jobId }) => jobId)).toEqual([bad.jobId])
  const { statuses } = await it.jobs.wait([bad.jobId])
  expect(statuses[0]).toMatchObject(UNREADABLE)
  again.succeed(...running.filter(({ jobId }) => jobId === good.jobId))
  expect((await it.jobs.wait([good.jobId])).satisfied).toBe(true)
})
