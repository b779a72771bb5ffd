/** That the end of an attempt costs what it ends, whatever runs or is known of the table. */
import type { Statement } from '@offstage/kit/database'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { JobState } from '../domain/job-state.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId } from '../testing/session.ts'
import { succeedAttempts } from './end-attempts.ts'

const RUNNING = 40_000
const ENDS = 500

test('the attempts that have succeeded are not gone through for each row of the table, known to the planner or not', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const run = (text: string) => database.query({ name: '', text })
  const attachment = attachmentId()
  const planOf = async () => {
    const asked: { statement: Statement; values: readonly unknown[] }[] = []
    const query = async (statement: Statement, values: readonly unknown[] = []) => {
      asked.push({ statement, values })
      return { rows: [], rowCount: 0 }
    }
    const key = () => ({ jobId: v7(), attachmentId: attachment, attempt: 1, result: undefined })
    await succeedAttempts({ query }, Array.from({ length: ENDS }, key))
    const { statement, values } = asked[0] ?? { statement: { name: '', text: '' }, values: [] }
    const text = `EXPLAIN ${statement.text}`
    const { rows } = await database.query<{ 'QUERY PLAN': string }>({ name: '', text }, values)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  }
  await run(`INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, attachment_id)
    SELECT gen_random_uuid(), 'default', 'test.job', 'ann', ${JobState.running}, 1, 1, 0, 1, '${attachment}'
    FROM generate_series(1, ${RUNNING})`)
  for (const step of ['SELECT', 'ANALYZE offstage.jobs']) {
    await run(step)
    expect(await planOf()).not.toMatch(/Join Filter: .*j\.id = u\.id/)
  }
})
