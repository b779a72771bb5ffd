import { openPglite } from '@offstage/kit/database'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { migrateJobs } from '../../services/scheduler/src/store/tables.ts'
import { UNJUST_CHARGES, watchCharges } from './charges.ts'

test('a charge is unjust where it stands while its session lives, not where that comes back too late, or has died again', async () => {
  await using database = await openPglite()
  await migrateJobs(database)
  await watchCharges(database)
  const query = async (text: string) => (await database.query({ name: '', text })).rows
  const comeBack = (session: string) =>
    query(`
      INSERT INTO offstage.attachments (id, session_id, session_key, namespace, name, scheduler, renew_round)
      VALUES ('${v7()}', '${session}', '${session}', 'default', 'x', 'x', 0)`)
  /** A job that was charged with the loss of a session, and what happens to that until it ends. */
  const charge = async (method: string, happen: (session: string) => Promise<unknown>) => {
    const [id, session] = [v7(), v7()]
    await query(`
      INSERT INTO offstage.jobs (id, namespace, method, owner, state, lane, kind, priority, attempt, crash_count, crashed_sessions)
      VALUES ('${id}', 'default', '${method}', 'dev', 3, 1, 1, 0, 2, 1, ARRAY['${session}'::uuid])`)
    await happen(session)
    await query(`UPDATE offstage.jobs SET state = 5, finish_time = now() WHERE id = '${id}'`)
    return session
  }
  await comeBack(await charge('late', async () => {}))
  await charge('dead', async (session) => {
    await comeBack(session)
    await query(`UPDATE offstage.attachments SET end_round = 1 WHERE session_key = '${session}'`)
  })
  expect(await query(UNJUST_CHARGES)).toEqual([])

  await charge('alive', comeBack)
  expect(await query(UNJUST_CHARGES)).toMatchObject([
    { method: 'alive', state: 5, attempt: 2, streams: [{ name: 'x', end_round: null }] },
  ])
})
