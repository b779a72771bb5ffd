/**
 * A limit of five is never six, whatever dies (row J20): three schedulers and three executors are killed at random while jobs of a limited
 * method flow, and what runs is counted in the database all the time, and at the moment of each claim.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Database, openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { openAudit } from './cluster/audit.ts'
import { type Cluster, type ClusterMember, startCluster } from './cluster/cluster.ts'
import { sleep } from './cluster/jobs.ts'
import { callingAs } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
/** In all; more where the environment says so. */
const KILLS = Number(process.env.KILLS ?? 5)
const LIMIT = 5
const LIMIT_PER_KEY = 2
const BATCH = 100
/** Claims are looked at one by one besides. */
const SAMPLE_MS = 20

const HELD = "method = 'cluster.sleep' AND state IN (3, 4)"
const COUNTED = `
  SELECT (SELECT count(*)::int FROM offstage.jobs WHERE ${HELD}) AS held,
    coalesce((SELECT max(n) FROM (
      SELECT count(*)::int AS n FROM offstage.jobs WHERE ${HELD} GROUP BY limit_key) of_key), 0)::int AS of_key`

/** What is over a limit after a statement that lets jobs begin, counted within its transaction. */
const WATCH = `
  CREATE TABLE public.exceeded (held int NOT NULL, of_key int NOT NULL);
  CREATE FUNCTION public.note_exceeded() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.exceeded SELECT * FROM (${COUNTED}) counted
      WHERE held > ${LIMIT} OR of_key > ${LIMIT_PER_KEY};
      RETURN NULL;
    END $$;
  CREATE TRIGGER note_exceeded AFTER UPDATE ON offstage.jobs EXECUTE FUNCTION public.note_exceeded();
  CREATE TRIGGER note_exceeded_start AFTER INSERT ON offstage.jobs EXECUTE FUNCTION public.note_exceeded();`

interface Held {
  held: number
  of_key: number
}

/** Counts all the time until told to stop; the most it has seen. */
async function sample(
  database: Database,
  signal: AbortSignal,
): Promise<Held & { samples: number }> {
  const most = { held: 0, of_key: 0, samples: 0 }
  while (!signal.aborted) {
    const { rows } = await database.query<Held>({ name: 'sample', text: COUNTED })
    most.held = Math.max(most.held, rows[0]?.held ?? 0)
    most.of_key = Math.max(most.of_key, rows[0]?.of_key ?? 0)
    most.samples += 1
    await pause(SAMPLE_MS)
  }
  return most
}

async function killOneAfterAnother({ schedulers, executors }: Cluster): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const members: readonly ClusterMember[] = kill % 2 === 0 ? executors : schedulers
    const member = members[Math.floor(Math.random() * members.length)]
    await member?.process.kill('SIGKILL')
    await pause(Math.random() * 500)
    await member?.restart()
  }
}

test('of a method with a limit of five never six run, nor three of one key, while processes are killed', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 3, executors: 3 })
  await using audit = await openAudit(cluster.databaseUrl)
  await using database = await openPostgres({ url: cluster.databaseUrl, poolSize: 2 })
  await database.query({ name: '', text: WATCH })
  await using offstage = await Offstage.connect({
    scheduler: cluster.target(),
    ...callingAs('admin'),
  })
  const method = sleep.method
  await offstage.settings.update({
    limits: [
      { method, concurrencyMax: LIMIT },
      { method, per: 'int(params.forMs) % 4', concurrencyMax: LIMIT_PER_KEY },
    ],
  })
  const stop = new AbortController()
  const sampled = sample(database, stop.signal)
  const killed = killOneAfterAnother(cluster)
  const started = []
  for (let going = true; going; ) {
    const params = Array.from({ length: BATCH }, (_, n) => ({ forMs: 20 + (n % 8) }))
    started.push(...(await offstage.startJobs(sleep, params)))
    const done = await Promise.race([killed.then(() => true), pause(500, false)])
    going = !done
    await until(async () => started.length - (await audit.ended()) < 4 * BATCH, {
      timeoutMs: 120_000,
    })
  }
  await offstage.waitAll(started, { timeoutMs: 120_000 })
  stop.abort()
  const { held, of_key, samples } = await sampled
  expect(started.filter(({ isSucceeded }) => !isSucceeded)).toEqual([])
  expect(await audit.endedTwice()).toBe(0)
  expect(await audit.count('SELECT count(*)::int AS n FROM public.exceeded')).toBe(0)
  // Both were reached, and were seen.
  expect([held, of_key]).toEqual([LIMIT, LIMIT_PER_KEY])
  expect(samples).toBeGreaterThan(100)
}, 300_000)
