/** That a claim costs what it takes, whatever is queued, has ended or is known of the table. */
import type { Statement } from '@offstage/kit/database'
import { expect, test } from 'vitest'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId } from '../testing/session.ts'
import { claimJobs } from './claim-jobs.ts'

const SLOTS = 500
const QUEUED = 4_000

interface PlanNode {
  readonly 'Subplan Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly PlanNode[]
}

function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node
  for (const each of node.Plans ?? []) yield* nodesOf(each)
}

/** The statement of a claim, and what it is asked with. */
async function claimStatement(pool: string) {
  const asked: { statement: Statement; values: readonly unknown[] }[] = []
  const queues = [{ method: 'test.job', lane: Lane.inline, pool }]
  const taking = Array.from({ length: SLOTS }, () => attachmentId())
  const query = async (statement: Statement, values: readonly unknown[] = []) => {
    asked.push({ statement, values })
    return { rows: [], rowCount: 0 }
  }
  await claimJobs({ query }, 'default', queues, taking)
  const [claim] = asked
  if (claim === undefined) throw new Error('a claim asks the database')
  return claim
}

test('those that may be claimed are looked up by their ids, never among all that is or was queued', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const run = (text: string) => database.query({ name: '', text })
  const insert = (count: number) =>
    run(`INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt)
      SELECT gen_random_uuid(), 'default', 'test.job', 'ann', ${JobState.queued}, 1, 1, 0, 0 FROM generate_series(1, ${count})`)
  const planOf = async (pool: string) => {
    const { statement, values } = await claimStatement(pool)
    const text = `EXPLAIN (FORMAT JSON) ${statement.text}`
    const { rows } = await database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      { name: '', text },
      values,
    )
    const [root] = rows[0]?.['QUERY PLAN'] ?? []
    const nodes = [...nodesOf(root?.Plan ?? {})]
    const picked = nodes.find((node) => node['Subplan Name'] === 'CTE picked')
    return [...nodesOf(picked ?? {})].map((node) => node['Index Name']).filter(Boolean)
  }
  const steps = [
    () => insert(QUEUED),
    () => run('ANALYZE offstage.jobs'),
    () => run(`UPDATE offstage.jobs SET state = ${JobState.succeeded}, finish_time = now()`),
    () => insert(QUEUED),
    () => run('ANALYZE offstage.jobs'),
  ]
  for (const step of steps) {
    await step()
    for (const pool of ['', 'batch', 'default@2']) expect(await planOf(pool)).toEqual(['jobs_pkey'])
  }
})
