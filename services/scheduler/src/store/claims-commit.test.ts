/** That claims do not wait for the disk, and what waits for them does. */
import { expect, test } from 'vitest'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId } from '../testing/session.ts'
import { claimJobs } from './claim-jobs.ts'
import { claimLimited } from './claim-limited.ts'
import { succeedAttempts } from './end-attempts.ts'

const QUEUES = [{ method: 'test.job', lane: Lane.inline, pool: '' }]

async function setup(jobs: number) {
  const database = await openFreshDatabase({ poolSize: 2 })
  const run = (text: string) => database.query<{ value: string }>({ name: '', text })
  await run(`INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt)
    SELECT gen_random_uuid(), 'default', 'test.job', 'ann', ${JobState.queued}, 1, 1, 0, 0 FROM generate_series(1, ${jobs})`)
  return { database, run, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() }
}

/** How the transaction commits that such a statement is in. */
const COMMITS = { name: '', text: "SELECT current_setting('synchronous_commit') AS value" }

test('a claim, with limits or without, commits without waiting for the disk, and nothing else does', async () => {
  await using it = await setup(3)
  const held = attachmentId()
  const how = (work: (tx: Parameters<typeof claimJobs>[0]) => Promise<unknown>) =>
    it.database.transaction(async (tx) => {
      await work(tx)
      return (await tx.query<{ value: string }>(COMMITS)).rows[0]?.value
    })
  const free = [held]
  const terms = { namespace: 'default', method: 'test.job', giveKeys: false }
  expect(await how((tx) => claimJobs(tx, 'default', QUEUES, free))).toBe('off')
  expect(
    await how((tx) => claimLimited(tx, { ...terms, queues: QUEUES, attachmentIds: free })),
  ).toBe('off')
  const { rows } = await it.database.query<{ id: string }>({
    name: '',
    text: `SELECT id FROM offstage.jobs WHERE state = ${JobState.running}`,
  })
  const ends = rows.map(({ id: jobId }) => ({
    ...{ jobId, attachmentId: held, attempt: 1 },
    result: undefined,
  }))
  expect(await how((tx) => succeedAttempts(tx, ends))).toBe('on')
  expect((await it.run(COMMITS.text)).rows).toEqual([{ value: 'on' }])
})

test('a claim beside others takes what they have not, however much that is', async () => {
  await using it = await setup(12)
  const slots = (count: number) => Array.from({ length: count }, () => attachmentId())
  const taken = await it.database.transaction(async (other) => {
    const { jobs } = await claimJobs(other, 'default', QUEUES, slots(10))
    const beside = await claimJobs(it.database, 'default', QUEUES, slots(2), { underWay: 10 })
    return [...jobs, ...beside.jobs].map(({ id }) => id)
  })
  expect(new Set(taken).size).toBe(12)
})
