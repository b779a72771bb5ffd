/**
 * Replicas of all services under random kills, freezes, drains and cancels with short graces, on a database and a NATS that stall and
 * are killed too, while jobs of all kinds go through them: waiting and attached parents, large values, jobs in this process, refreshes
 * of what handlers remember. Whatever happens, every acknowledged job ends, once, and none is charged for what was not its own fault:
 * with one attempt each, all but the canceled succeed. What the processes hold is told in the end, and stays level.
 *
 * SOAK_SECONDS says how long the faults last, SOAK_SEED repeats a run (`make soak` takes ten minutes).
 */
import { foregroundRunner } from '@offstage/executor'
import { Offstage } from '@offstage/sdk'
import { createChance } from '@offstage/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { openAudit } from './cluster/audit.ts'
import { startCluster } from './cluster/cluster.ts'
import { double } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'
import { makeTrouble } from './soak/faults.ts'
import { keepStarting } from './soak/load.ts'
import { UsageLog } from './soak/usage.ts'

const jobs = new URL('./soak/soak-jobs.ts', import.meta.url)
const LEASE_MS = 2_000
const FAULTS_MS = Number(process.env.SOAK_SECONDS ?? 6) * 1_000
const SEED = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
const SETTLE_MS_MAX = 90_000
/** Where everybody needs a token, no user may attach what runs jobs here. */
const IN_FOREGROUND = callingAs('executor').token === undefined
/** In less time heaps still grow into what they go on with. */
const JUDGED_MS_MIN = 240_000

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
    executors: 3,
    storage: 2,
    lease: `${LEASE_MS}ms`,
    postgres: {},
    envOf: (service) => (service === 'executor' ? { OFFSTAGE_EXECUTOR_DRAIN_GRACE: '2s' } : {}),
  })
  await using audit = await openAudit(cluster.databaseUrl)
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
  tell('all run')
  const over = new AbortController()
  const starting = keepStarting({
    ...{ offstage, chance: createChance(SEED + 1), inForeground: IN_FOREGROUND },
    signal: over.signal,
  })
  await usage.start()
  try {
    await makeTrouble({
      ...{ cluster, chance: createChance(SEED), leaseMs: LEASE_MS, forMs: FAULTS_MS },
      tell,
    })
  } finally {
    over.abort()
    await usage.stop()
  }
  const { started, refused } = await starting
  tell(`${started.length} jobs acknowledged, ${refused.length} refused`)
  console.log(story.join('\n  '))
  console.table(usage.table())
  expect(refused).toEqual([])
  expect(started.length).toBeGreaterThan(FAULTS_MS / 200)
  await offstage.waitAll(started, { timeoutMs: SETTLE_MS_MAX })

  const client = new Client({ connectionString: cluster.databaseUrl })
  await using resources = new AsyncDisposableStack()
  resources.defer(() => client.end())
  await client.connect()
  const select = async (text: string) => (await client.query(text)).rows
  const open = 'SELECT id, method, state, attempt FROM offstage.jobs WHERE state < 5'
  await expect.poll(() => select(open), { timeout: SETTLE_MS_MAX, interval: 500 }).toEqual([])
  expect(await select(FAILED), story.join('; ')).toEqual([])
  expect(await select(CANCELED_UNASKED), story.join('; ')).toEqual([])
  expect(await select(CHARGED_UNJUSTLY), story.join('; ')).toEqual([])
  expect(await audit.endedTwice()).toBe(0)
  expect(await select(ENDED_UNSEEN)).toEqual([])
  const states = await Promise.all(started.map(async (handle) => (await handle.refresh()).state))
  expect(states.filter((state) => !['succeeded', 'canceled'].includes(state))).toEqual([])
  if (FAULTS_MS >= JUDGED_MS_MIN) expect(usage.growing()).toEqual([])
})

const FAILED = 'SELECT method, attempt, crash_count, error FROM offstage.jobs WHERE state = 6'

/** Children of an attempt that was stopped are canceled by it, and its next attempt starts its own: those are none of these. */
const CANCELED_UNASKED = `
  SELECT j.method, j.attempt, j.cancel_reason, p.attempt AS attempt_of_parent
  FROM offstage.jobs j LEFT JOIN offstage.jobs p ON p.id = j.parent_id
  WHERE j.state = 7 AND j.method <> 'cluster.deaf' AND (p.attempt > 1) IS NOT TRUE`

/**
 * Charged with the loss of a session that attached again while the job went on: after the loss was told of, or before, if it was not
 * killed after that. An attempt that it went on with began before it attached.
 */
const CHARGED_UNJUSTLY = `
  SELECT j.id, j.method, j.state, j.attempt, lost.attempt AS lost_attempt, back.name, back.attach_time
  FROM offstage.jobs j
  JOIN offstage.attachments back ON back.session_key = ANY (j.crashed_sessions)
  CROSS JOIN LATERAL (
    SELECT a.attempt, a.start_time, a.finish_time FROM offstage.job_attempts a
    WHERE a.job_id = j.id AND a.session_id = back.session_id ORDER BY a.attempt DESC LIMIT 1) lost
  WHERE back.attach_time > lost.start_time AND back.attach_time < j.finish_time
    AND (back.attach_time > lost.finish_time OR NOT back.lost)`

/** Ended without the trigger having seen it: only jobs that were canceled at birth may. */
const ENDED_UNSEEN = `
  SELECT j.id, j.state FROM offstage.jobs j
  WHERE NOT EXISTS (SELECT FROM public.job_ends e WHERE e.id = j.id) AND NOT (j.state = 7 AND j.attempt = 0)`
