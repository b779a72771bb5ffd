/**
 * Two schedulers and three executors under random kills, freezes, stalls of the database and cancels with short graces, while
 * jobs of all kinds go through them. Whatever happens, every acknowledged job ends, once, and none is charged for what was not
 * its own fault: with one attempt each, all but the canceled succeed.
 *
 * TURMOIL_SECONDS says how long the faults last, TURMOIL_SEED repeats a run (`make turmoil` takes five minutes).
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type JobHandle, Offstage } from '@offstage/sdk'
import { type Chance, createChance } from '@offstage/testkit'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { openAudit } from './cluster/audit.ts'
import { type Cluster, type ClusterMember, startCluster } from './cluster/cluster.ts'
import { alone, deaf, double, family, sleep, turnRound } from './cluster/jobs.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const LEASE_MS = 2_000
const FAULTS_MS = Number(process.env.TURMOIL_SECONDS ?? 6) * 1_000
const SEED = Number(process.env.TURMOIL_SEED ?? Date.now() % 1_000_000)
const SETTLE_MS_MAX = 90_000

async function killAndRestart(member: ClusterMember, awayMs: number): Promise<void> {
  await member.process.kill('SIGKILL')
  await pause(awayMs)
  await member.restart()
}

async function freeze({ process: child }: ClusterMember, forMs: number): Promise<void> {
  process.kill(child.pid, 'SIGSTOP')
  await pause(forMs)
  process.kill(child.pid, 'SIGCONT')
}

async function stall({ postgres }: Cluster, forMs: number): Promise<void> {
  await postgres.pause()
  await pause(forMs)
  await postgres.resume()
}

/** One fault after another until the time is up; each is over when the next begins. */
async function makeTrouble(cluster: Cluster, chance: Chance, story: string[]): Promise<void> {
  const { schedulers, executors } = cluster
  const faults = {
    'a scheduler is killed': () => killAndRestart(chance.one(schedulers), chance.within(0, 1_500)),
    'an executor is killed': () => killAndRestart(chance.one(executors), chance.within(0, 1_500)),
    // For longer than the leases of its executors, which attach to the other one.
    'a scheduler freezes': () => freeze(chance.one(schedulers), chance.within(200, 4 * LEASE_MS)),
    'an executor freezes': () => freeze(chance.one(executors), chance.within(200, 2 * LEASE_MS)),
    'PostgreSQL stands still': () => stall(cluster, chance.within(200, 1.5 * LEASE_MS)),
  }
  const end = performance.now() + FAULTS_MS
  while (performance.now() < end) {
    const name = chance.one(Object.keys(faults)) as keyof typeof faults
    story.push(name)
    await faults[name]()
    await pause(chance.within(100, 800))
    if (performance.now() > end - FAULTS_MS / 2 && !story.includes('NATS is gone')) {
      story.push('NATS is gone')
      await cluster.nats.stop()
    }
  }
}

/** A cancel may be repeated until it is answered. */
async function cancelSoon(handle: JobHandle<unknown>, afterMs: number): Promise<void> {
  await pause(afterMs)
  while (
    !(await handle.cancel({ graceMs: 100 }).then(
      () => true,
      () => false,
    ))
  ) {
    await pause(500)
  }
}

/** Starts jobs of all kinds until it is told to stop; the handles of all that were acknowledged. */
async function keepStarting(offstage: Offstage, chance: Chance, signal: AbortSignal) {
  const started: JobHandle<unknown>[] = []
  const refused: unknown[] = []
  const pending = new Set<Promise<void>>()
  const take = (start: Promise<readonly JobHandle<unknown>[]>) => {
    const taken = start.then(
      (handles) => void started.push(...handles),
      (error) => void refused.push(error),
    )
    pending.add(taken)
    void taken.finally(() => pending.delete(taken))
  }
  const canceling: Promise<void>[] = []
  const one = (start: Promise<JobHandle<unknown>>) => take(start.then((handle) => [handle]))
  while (!signal.aborted) {
    take(
      offstage.startJobs(
        double,
        [1, 2, 3, 4, 5].map((n) => ({ n })),
      ),
    )
    one(offstage.startJob(sleep, { forMs: chance.within(100, 3_000) }))
    one(offstage.startJob(alone, { forMs: chance.within(50, 1_500) }))
    one(offstage.startJob(family, { n: chance.within(1, 100) }))
    one(offstage.startJob(turnRound, { text: 'x'.repeat(chance.one([10, 100_000])) }))
    const afterMs = chance.within(0, 800)
    const condemned = offstage.startJob(deaf, undefined)
    one(condemned)
    canceling.push(
      condemned.then(
        (handle) => cancelSoon(handle, afterMs),
        () => {},
      ),
    )
    await pause(chance.within(150, 400))
  }
  await Promise.all([...pending, ...canceling])
  return { started, refused }
}

test('in a turmoil every job ends once, and none pays for what was not its fault', {
  timeout: FAULTS_MS + SETTLE_MS_MAX + 120_000,
}, async () => {
  const chance = createChance(SEED)
  const story: string[] = [`TURMOIL_SEED=${SEED}`]
  console.log(story[0])
  const lease = `${LEASE_MS}ms`
  await using cluster = await startCluster({
    jobs,
    schedulers: 2,
    executors: 3,
    storage: true,
    lease,
  })
  await using audit = await openAudit(cluster.databaseUrl)
  const connection = { scheduler: cluster.target(), storage: cluster.storage }
  await using offstage = await Offstage.connect(connection)

  const over = new AbortController()
  const starting = keepStarting(offstage, createChance(SEED + 1), over.signal)
  try {
    await makeTrouble(cluster, chance, story)
  } finally {
    over.abort()
  }
  const { started, refused } = await starting
  story.push(`${started.length} jobs acknowledged, ${refused.length} starts refused`)
  console.log(story.join('\n  '))
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
