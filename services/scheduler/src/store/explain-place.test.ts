/** What is told to be ahead of a job is what is claimed before it. */
import type { Database } from '@offstage/kit/database'
import * as fc from 'fast-check'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import type { JobId } from '../domain/ids.ts'
import { Lane } from '../domain/lane.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { attachmentId } from '../testing/session.ts'
import { startCommand } from '../testing/start-command.ts'
import { createJobStore } from './job-store.ts'
import { createNamespaceStore } from './namespaces.ts'

const METHOD = 'test.job'
const BY = { user: 'dev', roles: ['admin'], peer: '127.0.0.1:1', call: 'a.B' }

async function setup() {
  const database = await openFreshDatabase({ poolSize: 1 })
  const store = createJobStore(database)
  return {
    database,
    store,
    async placeOf(id: string) {
      const job = await store.readCircumstances('default', id as JobId, undefined)
      if (typeof job === 'string') throw new Error(job)
      return job.place
    },
    limitEachValue: () =>
      createNamespaceStore(database).update(
        'default',
        {
          ...{ etag: undefined, retention: undefined },
          limits: [{ method: METHOD, keyExpression: 'params.k', concurrencyMax: 1_000 }],
        },
        BY,
      ),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

const clear = (database: Database) =>
  database.query({ name: '', text: 'DELETE FROM offstage.jobs' })

interface Queued {
  readonly lane: Lane
  readonly pool: string
  readonly priority: number
  readonly limitKey?: string
}

async function queue(store: ReturnType<typeof createJobStore>, jobs: readonly Queued[]) {
  const ids: string[] = []
  for (const { lane, ...rest } of jobs) {
    const id = v7()
    const command = startCommand({ method: METHOD, lane, ...rest })
    await store.insert([{ id, command, lane, attachmentId: undefined }])
    ids.push(id)
  }
  return ids
}

test('as many are ahead of a job as are claimed before it for its lane and its pool', async () => {
  await using it = await setup()
  const jobs = fc.array(
    fc.record({
      // The method has none of its own, so the default one.
      lane: fc.constantFrom(Lane.ofMethod, Lane.inline, Lane.work),
      pool: fc.constantFrom('', 'gpu'),
      priority: fc.integer({ min: -1, max: 1 }),
    }),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(jobs, async (queued) => {
      await clear(it.database)
      const ids = await queue(it.store, queued)
      const told = new Map<string, number>()
      for (const id of ids) told.set(id, (await it.placeOf(id)).ahead)
      const claimed = new Map<string, number>()
      for (const pool of ['', 'gpu']) {
        for (const lanes of [[Lane.ofMethod, Lane.inline], [Lane.work]]) {
          const queues = lanes.map((lane) => ({ method: METHOD, lane, pool }))
          for (let place = 0; ; place += 1) {
            const { jobs: next } = await it.store.claim('default', queues, [attachmentId()])
            if (next[0] === undefined) break
            claimed.set(next[0].id, place)
          }
        }
      }
      expect(told).toEqual(new Map(ids.map((id) => [id, claimed.get(id)])))
    }),
    { numRuns: 40 },
  )
})

test('where values take turns, no more are claimed before a job than are told, and of its own value as many', async () => {
  await using it = await setup()
  await it.limitEachValue()
  const jobs = fc.array(
    fc.record({
      lane: fc.constantFrom(Lane.ofMethod, Lane.inline),
      pool: fc.constant(''),
      priority: fc.integer({ min: -1, max: 1 }),
      limitKey: fc.constantFrom('', 'a', 'b', 'c'),
    }),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(jobs, fc.constantFrom('', 'a', 'b'), async (queued, afterKey) => {
      await clear(it.database)
      const ids = await queue(it.store, queued)
      const told = new Map<string, number>()
      for (const id of ids) told.set(id, (await it.placeOf(id)).ahead)
      const queues = [Lane.ofMethod, Lane.inline].map((lane) => ({
        method: METHOD,
        lane,
        pool: '',
      }))
      let last: string = afterKey
      for (let place = 0; place < ids.length; place += 1) {
        const claim = await it.store.claimLimited({
          ...{ namespace: 'default', method: METHOD, queues },
          attachmentIds: [attachmentId()],
          afterKey: last,
          giveKeys: false,
        })
        last = claim.lastKey ?? last
        const ahead = told.get(claim.taken.jobs[0]?.id ?? '') ?? Number.NaN
        expect(ahead).toBeGreaterThanOrEqual(place)
        // One of each other value may have had its turn or not.
        expect(ahead - place).toBeLessThanOrEqual(3)
      }
    }),
    { numRuns: 40 },
  )
})

test('more than ten thousand are told to be more: of a queue, of one value of a key, or of many that take turns', async () => {
  await using it = await setup()
  await it.limitEachValue()
  for (const limitKey of ['NULL', "'a'", 'n::text']) {
    await clear(it.database)
    const many = `
      INSERT INTO offstage.jobs (id, namespace, method, state, lane, kind, priority, attempt, owner, limit_key)
      SELECT gen_random_uuid(), 'default', '${METHOD}', 2, 1, 1, 0, 0, 'ann', ${limitKey}
      FROM generate_series(1, 10500) n`
    await it.database.query({ name: '', text: many })
    const own = limitKey === 'NULL' ? {} : { limitKey: 'a' }
    const [id = ''] = await queue(it.store, [{ lane: Lane.inline, pool: '', priority: -1, ...own }])
    expect(await it.placeOf(id)).toEqual({ ahead: 10_000, isMinimum: true })
  }
})

test('a job behind a key has its holder ahead, and who takes it before', async () => {
  await using it = await setup()
  const starts = Array.from({ length: 4 }, () => v7())
  for (const [index, id] of starts.entries()) {
    const command = startCommand({ method: METHOD, key: 'k' })
    const job = { id, command, lane: Lane.inline, attachmentId: undefined }
    if (index === 0) await it.store.insert([job])
    else await it.store.insertBehindKey([job])
  }
  const ahead = await Promise.all(starts.map(async (id) => (await it.placeOf(id)).ahead))
  expect(ahead).toEqual([0, 1, 2, 3])
})
