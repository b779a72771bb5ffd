/** Keys of jobs that are started by SQL: one unfinished job for each, and nobody but who wants the key waits for a transaction (row J24). */
import { errorFromStatus } from '@offstage/sdk/grpc'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { newJobId } from './job-id.ts'
import { createSweepStore } from './store/job-store.ts'
import { connectBulk } from './testing/bulk.ts'
import { beginSqlStarts, refusalOf, startBySql } from './testing/sql-starts.ts'

const [QUEUED, SCHEDULED] = [2, 1]
const KEYED = { method: 'test.job', key: 'nightly' }
const options = { key: 'nightly' }

test('a key that is held is refused, answered with the job that holds it, or waited for, as the start says', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 1 } })
  const first = await it.start({ options })
  const [holder] = await it.executor.assigned(1)
  const refused = await refusalOf(it.start({ options }))
  expect(refused.code).toBe('OS008')
  expect(refused.message).toMatch(
    /^key "nightly" is held by job .* of sql:postgres, started \d+ s ago$/,
  )
  expect(refused.hint).toMatch(/queue-behind/)
  expect(JSON.parse(refused.detail)).toEqual({
    ...{ reason: 'JOB_KEY_TAKEN', field: 'key', job_id: first, owner: 'sql:postgres' },
  })
  const onto = (policy: string, more: object = {}) =>
    it.start({ options: { ...options, key_conflict_policy: policy, ...more } })
  expect(await onto('return-running')).toBe(first)
  const others = await refusalOf(onto('return-running', { owner: 'ann' }))
  expect(others.message).toBe('key "nightly" is held by a job of somebody else')
  expect(others.detail).not.toContain(first)
  const next = await onto('queue-behind')
  expect((await it.jobs.get(next)).state).toBe(SCHEDULED)
  if (holder !== undefined) it.executor.succeed(holder)
  const [, successor] = await it.executor.assigned(2)
  expect(successor?.jobId).toBe(next)
})

test('a transaction that starts a job twice with one key is told of its own', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const refused = await it.application.transaction(async (tx) => {
    const id = await startBySql(tx, { options })
    const again = { ...options, key_conflict_policy: 'return-running' }
    expect(await startBySql(tx, { options: again })).toBe(id)
    await tx.query({ name: '', text: 'SAVEPOINT before' })
    const refusal = await refusalOf(startBySql(tx, { options }))
    await tx.query({ name: '', text: 'ROLLBACK TO before' })
    return refusal
  })
  expect(refused.code).toBe('OS008')
})

test('of two transactions that want a key at once the later one learns what has become of the earlier', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  for (const ends of ['commit', 'rollback'] as const) {
    const key = { key: ends }
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const first = it.application.transaction(async (tx) => {
      const id = await startBySql(tx, { options: key })
      began.resolve()
      await ended
      if (ends === 'rollback') throw new Error('no')
      return id
    })
    await began.promise
    const second = it.start({ options: key }).catch((error) => error)
    await until(async () => {
      const [row] = await it.ask<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
      )
      return row?.n === 1
    })
    end()
    if (ends === 'commit') {
      await first
      expect(await second).toMatchObject({ code: 'OS008' })
    } else {
      await expect(first).rejects.toThrow('no')
      expect(typeof (await second)).toBe('string')
    }
  }
})

test('a transaction that stays open with a key keeps no other start from the scheduler', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const began = Promise.withResolvers<string>()
  const open = it.application.transaction(async (tx) => {
    began.resolve(await startBySql(tx, { options }))
    await ended
  })
  const id = await began.promise
  const wanting = () => it.jobs.start(KEYED).then(undefined, errorFromStatus)
  // More than there are statements at once.
  for (let round = 0; round < 3; round += 1) {
    const [others, ...refused] = await Promise.all([
      it.jobs.startMany(
        Array.from({ length: 20 }, (_, n) => ({ method: 'test.job', key: `${n} ${round}` })),
      ),
      ...Array.from({ length: 5 }, wanting),
    ])
    expect(others.every(({ outcome }) => outcome?.$case === 'started')).toBe(true)
    for (const refusal of refused) expect(refusal).toMatchObject({ reason: 'OVERLOADED' })
  }
  end()
  await open
  expect(await wanting()).toMatchObject({ reason: 'JOB_KEY_TAKEN', metadata: { job_id: id } })
  expect((await it.jobs.get(id)).state).toBe(QUEUED)
})

test('nor does it hold up the sweep that gives keys to those who wait for them', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const failed = await it.jobs.start(KEYED)
  await it.jobs.cancel(failed.jobId)
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const open = it.application.transaction(async (tx) => {
    await startBySql(tx, { options })
    began.resolve()
    await ended
    throw new Error('given up')
  })
  await began.promise
  // Recorded by a release that knows of no such transactions.
  await it.ask(`
    INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, key, behind_key)
    VALUES (gen_random_uuid(), 'default', 'test.job', 1, 0, 1, 0, 0, 'ann', 'nightly', true),
      (gen_random_uuid(), 'default', 'test.job', 1, 0, 1, 0, 0, 'ann', 'other', true)`)
  const retried = await it.jobs.retry(failed.jobId).then(undefined, errorFromStatus)
  expect(retried).toMatchObject({ reason: 'JOB_KEY_TAKEN' })
  const states = () =>
    it.ask("SELECT key, state FROM offstage.jobs WHERE owner = 'ann' ORDER BY key")
  const other = { key: 'other', state: QUEUED }
  await expect
    .poll(states, { timeout: 10_000 })
    .toEqual([{ key: 'nightly', state: SCHEDULED }, other])
  end()
  await expect(open).rejects.toThrow('given up')
  await expect.poll(states, { timeout: 10_000 }).toEqual([{ key: 'nightly', state: QUEUED }, other])
})

test('a retry is asked to come again while a transaction has its key in hand', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const canceled = await it.jobs.start(KEYED)
  await it.jobs.cancel(canceled.jobId)
  await it.application.transaction(async (tx) => {
    await startBySql(tx, { options })
    const retried = it.jobs.retry(canceled.jobId).then(undefined, errorFromStatus)
    expect(await retried).toMatchObject({ reason: 'OVERLOADED' })
  })
  const retried = it.jobs.retry(canceled.jobId).then(undefined, errorFromStatus)
  expect(await retried).toMatchObject({ reason: 'JOB_KEY_TAKEN' })
})

test('nobody takes a key from under a job that has waited for it', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 1 }, config: { dueSweepMs: 600_000 } })
  const held = await it.jobs.start(KEYED)
  await it.executor.assigned(1)
  const waiting = await it.jobs.start({ ...KEYED, keyConflictPolicy: 3 })
  await it.ask(
    'UPDATE offstage.jobs SET state = 5, finish_time = now(), attachment_id = NULL WHERE id = $1',
    [held.jobId],
  )
  const refused = await refusalOf(it.start({ options, params: {} }))
  const taker = JSON.parse(refused.detail)
  expect(refused.code).toBe('OS008')
  expect([undefined, waiting.jobId]).toContain(taker.job_id)
})

test('a transaction that stays open with a request id keeps no other start from the scheduler either', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const ids = ['order-7', newJobId()]
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const began = Promise.withResolvers<string[]>()
  const open = it.application.transaction(async (tx) => {
    const started: string[] = []
    for (const request_id of ids) {
      started.push(await startBySql(tx, { options: { owner: 'ann', request_id } }))
    }
    began.resolve(started)
    await ended
  })
  const started = await began.promise
  const ann = { user: 'ann' }
  // As many as there are statements at once, with a key beside and without.
  for (const more of [{}, { key: 'mine' }]) {
    const wanting = ids.flatMap((requestId) =>
      Array.from({ length: 3 }, () =>
        it.jobs.start({ method: 'test.job', requestId, ...more }, ann).catch(errorFromStatus),
      ),
    )
    await it.jobs.start({ method: 'test.job' })
    await it.jobs.start({ method: 'test.job', requestId: newJobId() })
    for (const refusal of await Promise.all(wanting)) {
      expect(refusal).toMatchObject({ reason: 'OVERLOADED' })
    }
  }
  end()
  await open
  for (const [place, requestId] of ids.entries()) {
    const again = await it.jobs.start({ method: 'test.job', requestId }, ann)
    expect(again).toMatchObject({ jobId: started[place], existing: true })
  }
})

test.for(['key', 'requestId'] as const)(
  'a start that meets the %s of a transaction before anybody can know of it holds up none of the others for as long as that is open',
  async (of) => {
    await using it = await beginSqlStarts({ executor: { slots: 0 } })
    const id = newJobId()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const recorded = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    const open = it.application.transaction(async (tx) => {
      // The scheduler has looked whether somebody has it in hand before, and goes on to record its own after this.
      const [key, lock] =
        of === 'key'
          ? ["'nightly'", "offstage.key_lock('default', 'test.job', 'nightly')"]
          : ['NULL', `offstage.request_lock('default', 'dev', '${id}')`]
      await tx.query({
        name: '',
        text: `INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, key)
          VALUES ('${id}', 'default', 'test.job', 2, 0, 1, 0, 0, 'dev', ${key})`,
      })
      recorded.resolve()
      await told.promise
      await tx.query({
        name: '',
        text: `SELECT pg_advisory_xact_lock_shared(7308332047), pg_advisory_xact_lock(${lock})`,
      })
      await ended
    })
    await recorded.promise
    const wanted = of === 'key' ? { key: 'nightly' } : { requestId: id }
    const starting = it.jobs.startMany([
      { method: 'test.job', ...wanted },
      { method: 'test.job' },
      { method: 'test.job', key: 'other' },
    ])
    await it.waitsForTransaction()
    told.resolve()
    const outcomes = (await starting).map(({ outcome }) => outcome?.$case)
    expect(outcomes).toEqual(['error', 'started', 'started'])
    end()
    await open
  },
)

test('a bulk job that meets the request id of a transaction before anybody can know of it does not wait for as long as that is open', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 } })
  const bulk = connectBulk(it)
  const id = newJobId()
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const recorded = Promise.withResolvers<void>()
  const told = Promise.withResolvers<void>()
  const open = it.application.transaction(async (tx) => {
    await tx.query({
      name: '',
      text: `INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner)
        VALUES ('${id}', 'default', 'test.job', 2, 0, 1, 0, 0, 'dev')`,
    })
    recorded.resolve()
    await told.promise
    const text = `SELECT pg_advisory_xact_lock(offstage.request_lock('default', 'dev', '${id}'))`
    await tx.query({ name: '', text })
    await ended
  })
  await recorded.promise
  const asked = { filter: { text: 'state:failed' }, requestId: id }
  const starting = bulk.call('retry', asked).then(undefined, errorFromStatus)
  await it.waitsForTransaction()
  told.resolve()
  expect(await starting).toMatchObject({ reason: 'OVERLOADED' })
  end()
  await open
})

test('nor does one hold up the sweep that gives keys, or a retry, for as long as it is open', async () => {
  await using it = await beginSqlStarts({ executor: { slots: 0 }, config: { dueSweepMs: 600_000 } })
  const canceled = await it.jobs.start(KEYED)
  await it.jobs.cancel(canceled.jobId)
  const behind = ['nightly', 'other'].map(
    (key) => `(gen_random_uuid(), 'default', 'test.job', 1, 0, 1, 0, 0, 'ann', '${key}', true)`,
  )
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const recorded = Promise.withResolvers<void>()
  const open = it.application.transaction(async (tx) => {
    await tx.query({
      name: '',
      text: `INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, key)
        VALUES (gen_random_uuid(), 'default', 'test.job', 2, 0, 1, 0, 0, 'dev', 'nightly')`,
    })
    recorded.resolve()
    await ended
  })
  await recorded.promise
  const retrying = it.jobs.retry(canceled.jobId).then(undefined, errorFromStatus)
  await it.ask(`
    INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, key, behind_key)
    VALUES ${behind}`)
  const promoted = await createSweepStore(it.application).promoteBehindKey(10)
  expect(promoted.map(({ key }) => key)).toEqual(['other'])
  end()
  await open
  expect(await retrying).toMatchObject({ reason: 'JOB_KEY_TAKEN' })
})
