/** Who is claimed next, whatever is queued, runs and ends: compared with a small model (row J20). */
import type { Database } from '@offstage/kit/database'
import * as fc from 'fast-check'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { JobState } from '../domain/job-state.ts'
import { Lane } from '../domain/lane.ts'
import type { MethodLimit } from '../domain/method-limit.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { beginTogether, takeInTurn } from '../testing/model/in-turn.ts'
import { attachmentId } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createGateStore } from './gates.ts'
import { createJobStore } from './job-store.ts'
import { createNamespaceStore } from './namespaces.ts'

const METHOD = 'test.job'
const BY = { user: 'dev', roles: ['admin'], peer: '127.0.0.1:1', call: 'a.B' }
const QUEUES = [{ method: METHOD, lane: Lane.inline, pool: '' }]
const attachment = attachmentId()

interface Queued {
  readonly id: string
  readonly limitKey: string
  readonly priority: number
}

type Step =
  | { readonly kind: 'queue'; readonly key: string; readonly priority: number }
  | { readonly kind: 'start'; readonly keys: readonly string[] }
  | { readonly kind: 'claim'; readonly slots: number }
  | { readonly kind: 'end'; readonly nth: number }

const keys = ['', 'a', 'b', 'ß', 'z'] as const
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('queue' as const),
        key: fc.constantFrom(...keys),
        priority: fc.integer({ min: -1, max: 1 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('start' as const),
        keys: fc.array(fc.constantFrom(...keys), { minLength: 1, maxLength: 4 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('claim' as const),
        slots: fc.integer({ min: 1, max: 4 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), nth: fc.nat(9) }) },
  ),
  { maxLength: 40 },
)

const bestFirst = (queued: readonly Queued[]) =>
  queued.toSorted((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1))

async function setLimits(database: Database, limits: readonly MethodLimit[]): Promise<void> {
  const change = { etag: undefined, retention: undefined, limits }
  await createNamespaceStore(database).update('default', change, BY)
}

test('whatever is queued, starts and ends, the values of the key take turns within both limits, each best first', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const store = createJobStore(database)
  const limits = fc.record({
    whole: fc.integer({ min: 1, max: 6 }),
    perKey: fc.integer({ min: 1, max: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(limits, steps, async ({ whole, perKey }, plan) => {
      await database.query({ name: '', text: 'DELETE FROM offstage.jobs' })
      await setLimits(database, [
        { method: METHOD, keyExpression: '', concurrencyMax: whole },
        { method: METHOD, keyExpression: 'params.k', concurrencyMax: perKey },
      ])
      const bounds = {
        whole: { max: whole, rate: undefined },
        perKey: { max: perKey, rate: undefined },
      }
      let queued: Queued[] = []
      let running: Queued[] = []
      let last = ''
      for (const step of plan) {
        if (step.kind === 'queue') {
          const job = { id: v7(), limitKey: step.key, priority: step.priority }
          const command = startCommand({ limitKey: step.key, priority: job.priority })
          await store.insert([{ id: job.id, command, lane: Lane.inline, attachmentId: undefined }])
          queued.push(job)
        } else if (step.kind === 'start') {
          const started = step.keys.map((limitKey) => ({ id: v7(), limitKey, priority: 0 }))
          const states = await store.insert(
            started.map(({ id, limitKey }) => ({
              ...{ id, lane: Lane.inline, attachmentId: attachment, withinLimits: true },
              command: startCommand({ limitKey }),
            })),
          )
          const places = beginTogether(step.keys, queued, running, bounds)
          const begun = started.filter((_, place) => places.has(place))
          const ids = started.flatMap(({ id }) => (states.get(id) === JobState.running ? [id] : []))
          expect(ids).toEqual(begun.map(({ id }) => id))
          expect(states.size).toBe(started.length)
          running = [...running, ...begun]
          queued = [...queued, ...started.filter((job) => !begun.includes(job))]
        } else if (step.kind === 'end') {
          const job = running[step.nth]
          if (job === undefined) continue
          const key = { jobId: job.id, attachmentId: attachment, attempt: 1 }
          expect((await store.succeed([{ ...key, result: undefined }])).size).toBe(1)
          running = running.filter((each) => each !== job)
        } else {
          const claim = await store.claimLimited({
            ...{ namespace: 'default', method: METHOD, queues: QUEUES, afterKey: last },
            attachmentIds: Array.from({ length: step.slots }, () => attachment),
            giveKeys: false,
          })
          const { jobs: taken } = takeInTurn(bestFirst(queued), running, {
            ...{ limits: bounds, slots: step.slots, lastKey: last },
            tokens: () => Number.POSITIVE_INFINITY,
          })
          const ids = claim.taken.jobs.map(({ id }) => id)
          expect(ids.toSorted()).toEqual(taken.map(({ id }) => id).toSorted())
          if (claim.lastKey !== undefined) last = claim.lastKey
          running = [...running, ...taken]
          queued = queued.filter((job) => !taken.includes(job))
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('of a thousand values each has a turn before one has a second, whoever has queued how much', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const store = createJobStore(database)
  await setLimits(database, [{ method: METHOD, keyExpression: 'params.k', concurrencyMax: 5 }])
  await database.query({
    name: '',
    text: `INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, limit_key)
      SELECT gen_random_uuid(), 'default', '${METHOD}', 2, ${Lane.inline}, 1, 0, 0, 'ann', 'k' || k
      FROM generate_series(1, 1000) AS k CROSS JOIN LATERAL generate_series(1, CASE k WHEN 500 THEN 2000 ELSE 2 END)`,
  })
  const turns = new Map<string, number>()
  let afterKey = ''
  for (let claims = 0; claims < 20; claims++) {
    const claim = await store.claimLimited({
      ...{ namespace: 'default', method: METHOD, queues: QUEUES, afterKey, giveKeys: false },
      attachmentIds: Array.from({ length: 50 }, () => attachment),
    })
    afterKey = claim.lastKey ?? afterKey
    const ids = claim.taken.jobs.map(({ id }) => id)
    const text = 'SELECT limit_key FROM offstage.jobs WHERE id = ANY ($1::uuid[])'
    const { rows } = await database.query<{ limit_key: string }>({ name: 'keys', text }, [ids])
    for (const { limit_key } of rows) turns.set(limit_key, (turns.get(limit_key) ?? 0) + 1)
  }
  expect(turns.size).toBe(1_000)
  expect(new Set(turns.values())).toEqual(new Set([1]))
})

test('what runs when a limit is set counts, though its executor is forgotten or it waits without one', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const store = createJobStore(database)
  await store.insert(
    Array.from({ length: 3 }, () => ({
      ...{ id: v7(), lane: Lane.inline, attachmentId: undefined, command: startCommand({}) },
    })),
  )
  await store.claim('default', QUEUES, [attachment, attachment])
  const text = `UPDATE offstage.jobs SET state = ${JobState.waiting}, attachment_id = NULL WHERE id = (
    SELECT id FROM offstage.jobs WHERE state = ${JobState.running} LIMIT 1)`
  await database.query({ name: '', text })
  await setLimits(database, [{ method: METHOD, keyExpression: '', concurrencyMax: 2 }])
  const claim = await store.claimLimited({
    ...{ namespace: 'default', method: METHOD, queues: QUEUES, afterKey: '', giveKeys: false },
    attachmentIds: [attachment],
  })
  expect([claim.taken.jobs, claim.isFull]).toEqual([[], true])
})

test('a paused pool holds back the jobs of it that require a version, too', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const [store, gates] = [createJobStore(database), createGateStore(database)]
  await setLimits(database, [{ method: METHOD, keyExpression: '', concurrencyMax: 2 }])
  const pool = 'gpu@2'
  const command = startCommand({ pool })
  await store.insert([{ id: v7(), lane: Lane.inline, attachmentId: undefined, command }])
  const claim = () =>
    store.claimLimited({
      ...{ namespace: 'default', method: METHOD, attachmentIds: [attachment], giveKeys: false },
      queues: [{ method: METHOD, lane: Lane.inline, pool }],
    })
  await gates.pausePool('default', 'gpu', BY)
  expect((await claim()).taken.jobs).toEqual([])
  await gates.resumePool('default', 'gpu', BY)
  expect((await claim()).taken.jobs).toHaveLength(1)
})
