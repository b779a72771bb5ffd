/**
 * Replicas of all services under random kills, freezes, drains and cancels with short graces, on a database and a NATS that stall and
 * are killed too, while jobs of all kinds go through them: waiting and attached parents, large values, jobs in this process, refreshes
 * of what handlers remember. Whatever happens, every acknowledged job ends, once, and none is charged for what was not its own fault:
 * with one attempt each, all but the canceled succeed. What the processes hold is told in the end, and stays level.
 *
 * SOAK_SECONDS says how long the faults last, SOAK_SEED repeats a run (`make soak` takes ten minutes).
 */

import { foregroundRunner } from '@offstage/executor'
import { openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { createChance, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { openAudit } from './cluster/audit.ts'
import { startCluster } from './cluster/cluster.ts'
import { double } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'
import { watchCharges } from './soak/charges.ts'
import { makeTrouble } from './soak/faults.ts'
import { collectGarbage, INSPECTABLE } from './soak/garbage.ts'
import { insideOf } from './soak/inside.ts'
import { keepStarting } from './soak/load.ts'
import { UsageLog } from './soak/usage.ts'
import { brokenOf, judgeJobs, LONGEST_LIVES, tableOf, type Verdict } from './soak/verdicts.ts'

const jobs = new URL('./soak/soak-jobs.ts', import.meta.url)
const LEASE_MS = 2_000
const FAULTS_MS = Number(process.env.SOAK_SECONDS ?? 4) * 1_000
const SEED = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
const SETTLE_MS_MAX = 180_000
/** The arenas are those of its image. */
const OF_EXECUTOR = {
  ...INSPECTABLE,
  OFFSTAGE_EXECUTOR_DRAIN_GRACE: '2s',
  MALLOC_ARENA_MAX: '2',
}
/** Where everybody needs a token, no user may attach what runs jobs here. */
const IN_FOREGROUND = callingAs('executor').token === undefined
/** In less time heaps still grow into what they go on with. */
const JUDGED_MS_MIN = 240_000
/** One that is to cost the suite little: most of the time it takes are threads that start. */
const IS_SHORT = FAULTS_MS < JUDGED_MS_MIN

test('in a soak every job ends once, none pays for what was not its fault, and nothing grows', {
  timeout: FAULTS_MS + SETTLE_MS_MAX + 120_000,
}, async () => {
  const began = performance.now()
  const story: string[] = [`SOAK_SEED=${SEED}`]
  const tell = (event: string) => {
    story.push(`${Math.round((performance.now() - began) / 1_000)} s: ${event}`)
  }
  console.log(story[0])
  await using cluster = await startCluster({
    jobs,
    schedulers: 2,
    executors: IS_SHORT ? 2 : 3,
    storage: 2,
    lease: `${LEASE_MS}ms`,
    postgres: {},
    envOf: (service) => (service === 'executor' ? OF_EXECUTOR : INSPECTABLE),
  })
  await using _audit = await openAudit(cluster.databaseUrl)
  await using database = await openPostgres({ url: cluster.databaseUrl, poolSize: 2 })
  await watchCharges(database)
  const connection = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect({
    ...connection,
    ...(IN_FOREGROUND && { foreground: foregroundRunner({ jobs: [double], prefer: true }) }),
  })

  const [scheduler, executor, storage] = [cluster.schedulers, cluster.executors, cluster.storages]
  const pidOf = ([member]: typeof scheduler) => member?.process.pid ?? Number.NaN
  const usage = new UsageLog(
    {
      ...{ scheduler: pidOf(scheduler), executor: pidOf(executor), storage: pidOf(storage) },
      client: process.pid,
    },
    (error) => tell(String(error)),
  )
  const tellInside = async () => tell(`the executor's ${await insideOf(pidOf(executor))}`)
  tell('all run')
  await tellInside()
  using _garbage = await collectGarbage(
    [scheduler, executor, storage].flatMap(([member]) => member?.process ?? []),
  )
  const over = new AbortController()
  const starting = keepStarting({
    ...{ offstage, chance: createChance(SEED + 1), inForeground: IN_FOREGROUND },
    ...{ pauseMs: IS_SHORT ? [500, 1_000] : [150, 400], signal: over.signal },
  })
  await usage.start()
  let failures: readonly string[]
  try {
    failures = await makeTrouble({
      ...{ cluster, chance: createChance(SEED), leaseMs: LEASE_MS, forMs: FAULTS_MS },
      tell,
    })
  } finally {
    over.abort()
    await usage.stop()
  }
  await tellInside()
  const { acknowledged, awaited, refused } = await starting
  tell(`${acknowledged.length} jobs acknowledged`)

  const select = async (text: string) => (await database.query({ name: '', text })).rows
  const open = 'SELECT id FROM offstage.jobs WHERE state < 5 LIMIT 1'
  const settled = async () => awaited.size === 0 && (await select(open)).length === 0
  // What has not ended by then is told of by its promise.
  await until(settled, { timeoutMs: SETTLE_MS_MAX }).catch((error) => tell(String(error)))
  tell('all have settled')
  const verdicts: Verdict[] = [
    ...(await judgeJobs(database, acknowledged)),
    { promise: 'who waits is told', brokenBy: [...awaited] },
    { promise: 'no call is refused', brokenBy: refused.map(String) },
    { promise: 'what drains or is killed comes back', brokenBy: failures },
  ]
  if (!IS_SHORT) {
    verdicts.push({ promise: 'nothing grows', brokenBy: usage.growing() })
  }
  const longest = await select(LONGEST_LIVES)
  tell('judged')
  console.log(story.join('\n  '))
  console.table(usage.table())
  console.table(longest)
  console.table(tableOf(verdicts))
  expect(acknowledged.length).toBeGreaterThan(FAULTS_MS / 200)
  expect(brokenOf(verdicts)).toEqual([])
})
