import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { SessionKey } from '../domain/ids.ts'
import { JobState } from '../domain/job-state.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { createHeldAttemptStore } from './held-attempts.ts'

const HELD = { state: JobState.running as JobState, attempt: 2, end: null as number | null }

test('an attempt goes on while it is the newest, runs or waits, and its attachment is not over', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const store = createHeldAttemptStore(database)
  const session = randomUUID() as string as SessionKey
  const insert = async (given: Partial<typeof HELD>) => {
    const { state, attempt, end } = { ...HELD, ...given }
    const [jobId, attachment] = [randomUUID(), randomUUID()]
    await database.query(ATTACHMENT, [attachment, session, end])
    await database.query(JOB, [jobId, state, attempt, attachment])
    return { jobId, attempt: 2 }
  }
  const cases: readonly (readonly [Partial<typeof HELD>, boolean])[] = [
    [{}, true],
    [{ state: JobState.waiting }, true],
    [{ attempt: 3 }, false],
    [{ attempt: 1 }, false],
    [{ state: JobState.queued }, false],
    [{ state: JobState.succeeded }, false],
    // Its lease has run out, and nobody has taken the job back yet.
    [{ end: 7 }, false],
  ]
  const refs = await Promise.all(cases.map(([given]) => insert(given)))
  const expected = cases.map(([, goesOn]) => goesOn)
  expect(await store.goOn(refs)).toEqual(expected)
  for (const [index, ref] of refs.entries()) {
    expect((await store.findHeld(ref, session)) !== undefined).toBe(expected[index])
    expect(await store.findHeld(ref, randomUUID() as string as SessionKey)).toBeUndefined()
  }
  expect(await store.goOn([{ jobId: randomUUID(), attempt: 1 }])).toEqual([false])
})

const ATTACHMENT = {
  name: '',
  text: `
    INSERT INTO offstage.attachments (id, session_id, session_key, namespace, name, scheduler, renew_round, end_round)
    VALUES ($1::uuid, $2::uuid, $2::uuid, 'default', '', '', 1, $3::bigint)`,
}

const JOB = {
  name: '',
  text: `
    INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, attachment_id)
    VALUES ($1::uuid, 'default', 'test.job', $2::smallint, 1, 1, 0, $3::int, 'alice', $4::uuid)`,
}
