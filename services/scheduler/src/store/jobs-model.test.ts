/**
 * The life of jobs as a whole, whatever is done to them in whatever order: after each step the tables are what a small model makes
 * of it.
 *
 * MODEL_RUNS says how many stories are told on each database, MODEL_SEED repeats some (`make model` tells many).
 */
import { type Database, openPglite } from '@offstage/kit/database'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { claims, ends, handBacks, waits } from '../testing/model/attempts.ts'
import {
  cancels,
  limitings,
  looks,
  pauses,
  pins,
  removals,
  retries,
} from '../testing/model/callers.ts'
import type { JobCommand } from '../testing/model/command.ts'
import {
  attaches,
  crashes,
  departures,
  EXECUTORS,
  firstAttaches,
  forgettings,
  newExecutor,
  orphanages,
  releases,
  rounds,
} from '../testing/model/executors.ts'
import { limitedClaims } from '../testing/model/limited-claims.ts'
import { Model } from '../testing/model/model.ts'
import { abandonments, parentEnds } from '../testing/model/parents.ts'
import { begin, realOver } from '../testing/model/real.ts'
import { families, floods, starts } from '../testing/model/starts.ts'
import { bucketSweeps, retentions, steps, sweeps } from '../testing/model/upkeep.ts'
import { words } from '../testing/model/words.ts'
import { migrateJobs } from './tables.ts'

/** Where nobody says how many it is as many as there is time for. */
const BUDGET_MS = process.env.MODEL_RUNS === undefined ? 6_000 : Number.POSITIVE_INFINITY
const RUNS = { numRuns: Number(process.env.MODEL_RUNS ?? 1_000) }
const SEED = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) }
/** Of a thousand stories. */
const TIMEOUT_MS = 3_600_000

const often = (weight: number, arbitrary: fc.Arbitrary<JobCommand>) => ({ weight, arbitrary })
const story = fc.array(
  fc.oneof(
    ...[often(10, starts), often(8, claims), often(14, limitedClaims), often(12, ends)],
    ...[often(2, handBacks), often(3, waits), often(6, cancels), often(5, retries)],
    ...[
      often(2, removals),
      often(1, pins),
      often(3, attaches),
      often(2, departures),
      often(5, crashes),
    ],
    ...[often(5, rounds), often(3, releases), often(2, pauses), often(2, limitings)],
    ...[often(4, looks), often(4, steps), often(8, sweeps), often(1, retentions)],
    ...[often(6, parentEnds), often(2, abandonments), often(3, families)],
    ...[often(2, forgettings), often(2, orphanages), often(1, floods), often(1, bucketSweeps)],
  ),
  { minLength: 30, maxLength: 80, size: 'max' },
)
/** Most stories are of limits and of what they keep waiting, or of attached children. */
const opening = fc.array(fc.oneof(limitings, floods, families), { maxLength: 3, size: 'max' })

const DATABASES: { name: string; open: () => Promise<Database> }[] = [
  {
    name: 'PGlite',
    async open() {
      const database = await openPglite()
      await migrateJobs(database)
      return database
    },
  },
  { name: 'PostgreSQL', open: () => openFreshDatabase({ poolSize: 4 }) },
]

test.each(DATABASES)(
  'on $name: whatever is done to jobs, they are what a small model makes of it',
  { timeout: TIMEOUT_MS },
  async ({ open }) => {
    await using database = await open()
    const real = realOver(database)
    const endAt = performance.now() + BUDGET_MS
    let stories = 0
    await fc.assert(
      fc.asyncProperty(words, opening, story, async (words, first, commands) => {
        // However slow the machine is, one is told to its end.
        if (stories > 0 && performance.now() > endAt) return
        const model = new Model(words)
        model.executors.push(...Array.from({ length: EXECUTORS }, newExecutor))
        await begin(real, model)
        await fc.asyncModelRun(() => ({ model, real }), [...firstAttaches, ...first, ...commands])
        stories += 1
      }),
      { ...RUNS, ...SEED },
    )
    expect(stories).toBeGreaterThan(0)
  },
)
