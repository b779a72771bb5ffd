/** What began lately is told for each queue by itself, and only of times in which it had jobs. */
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { Lane, type SlotLane } from '../domain/lane.ts'
import type { PacedQueue } from '../ports/pace.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { startCommand } from '../testing/start-command.ts'
import { createJobStore } from './job-store.ts'
import { createPaceStore, readPace } from './pace.ts'

const paced = (given: Partial<PacedQueue> = {}): PacedQueue => ({
  ...{ namespace: 'default', method: 'test.job', lane: Lane.inline, pool: '' },
  ...{ isOwnLane: true, starts: 5, periodMs: 1_000 },
  ...given,
})

test('a sample is written of a queue that has jobs, in its lane and pool, and of no other', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const jobs = createJobStore(database)
  const store = createPaceStore(database)
  for (const [lane, pool] of [
    [Lane.ofMethod, ''],
    [Lane.work, 'gpu'],
  ] as const) {
    const command = startCommand({ lane, pool })
    await jobs.insert([{ id: v7(), command, lane, attachmentId: undefined }])
  }
  const open = await store.record('one', [
    paced(),
    paced({ isOwnLane: false }),
    paced({ pool: 'gpu' }),
    paced({ lane: Lane.work, pool: 'gpu', starts: 7 }),
    paced({ lane: Lane.work, pool: 'tpu' }),
    paced({ namespace: 'other' }),
    paced({ periodMs: undefined }),
  ])
  expect([...open].toSorted()).toEqual([0, 3, 6])
  const read = (lane: SlotLane, pool: string) =>
    readPace(database, { namespace: 'default', method: 'test.job', lane, pool })
  expect(await read(Lane.inline, '')).toEqual([{ scheduler: 'one', starts: 5, periodMs: 1_000 }])
  expect(await read(Lane.work, 'gpu')).toMatchObject([{ starts: 7 }])
  expect(await read(Lane.inline, 'gpu')).toEqual([])
})

test('the newest samples that say enough are read, and old ones are forgotten', async () => {
  await using database = await openFreshDatabase({ poolSize: 1 })
  const add = (starts: number, minutesAgo: number) =>
    database.query(
      {
        name: '',
        text: `INSERT INTO offstage.pace_samples
          (namespace, method, lane, pool, scheduler, starts, period_ms, record_time)
          VALUES ('default', 'test.job', 1, '', 'one', $1, 1000, now() - $2::int * interval '1 minute')`,
      },
      [starts, minutesAgo],
    )
  const queue = { namespace: 'default', method: 'test.job', lane: Lane.inline, pool: '' } as const
  const starts = async () => (await readPace(database, queue)).map((sample) => sample.starts)
  for (const [count, minutesAgo] of [
    [1, 11],
    [2, 9],
    [3, 5],
  ] as const) {
    await add(count, minutesAgo)
  }
  expect(await starts()).toEqual([3, 2])
  await add(60, 1)
  expect(await starts()).toEqual([60])
  await createPaceStore(database).forgetOld()
  const { rows } = await database.query({
    name: '',
    text: 'SELECT starts FROM offstage.pace_samples ORDER BY 1',
  })
  expect(rows).toEqual([{ starts: 2 }, { starts: 3 }, { starts: 60 }])
})
