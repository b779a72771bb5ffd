/** Row K3: one job for each due time, whatever is killed, frozen or restarted meanwhile, and whatever clocks say. Counted in the database. */
import { setTimeout as pause } from 'node:timers/promises'
import { openPostgres } from '@offstage/kit/database'
import { durationFrom } from '@offstage/proto/durations'
import {
  CreateScheduleRequest,
  type CreateScheduleResponse,
  OverlapPolicy,
  ScheduleServiceClient,
} from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { type Cluster, type ClusterMember, startCluster } from './cluster/cluster.ts'
import { accessTo } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
/** In all; a thousand and more where the environment says so. */
const DUE_TIMES = Number(process.env.DUE_TIMES ?? 120)
const SCHEDULES = 12
const SECONDS = Math.ceil(DUE_TIMES / SCHEDULES)
/** Each replica, again and again. */
const KILL_MS = 1_500

/** Longer than its leases, and than a statement waits for a lock. */
const FROZEN_MS = 4_000
const HOUR_MS = 3_600_000

/** For a process whose clock is so far off. */
const clockOffBy = (ms: number) => {
  const patch = `const D = Date; globalThis.Date = class Date extends D {
    constructor(...given) { given.length > 0 ? super(...given) : super(D.now() + ${ms}) }
    static now() { return D.now() + ${ms} } }`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(patch)}` }
}

/** What is in the database of each schedule: its due times, with how many jobs they have. */
const COUNT = {
  name: 'count_due_times',
  text: `
    SELECT labels->>'offstage.schedule' AS id, labels->>'offstage.due_time' AS due, count(*)::int AS jobs
    FROM offstage.jobs WHERE kind = 3 GROUP BY 1, 2 ORDER BY 1, 2`,
}
const OVER = {
  name: 'schedules_over',
  text: 'SELECT FROM offstage.schedules WHERE wake_time IS NOT NULL',
}

test('three schedulers are killed and frozen again and again, two by wrong clocks, and PostgreSQL dies: each due time has one job', {
  timeout: 240_000 + SECONDS * 1_500,
}, async () => {
  const clocks = [HOUR_MS, -HOUR_MS]
  await using cluster = await startCluster({
    ...{ jobs, schedulers: 3, executors: 1, postgres: {} },
    envOf: (service) => clockOffBy((service === 'scheduler' && clocks.pop()) || 0),
  })
  await using database = await openPostgres({ url: cluster.databaseUrl, poolSize: 2 })
  const access = accessTo(cluster.target())
  const client = new ScheduleServiceClient(cluster.target(), access.credentials, access.options)
  const begin = Math.ceil(Date.now() / 1_000) * 1_000 + 8_000
  for (let n = 0; n < SCHEDULES; n++) await create(client, n, begin)
  client.close()

  const { rows: before } = await database.query<{ now: Date }>({ name: '', text: 'SELECT now()' })
  expect(before[0]?.now.getTime()).toBeLessThan(begin)
  const kills = await killUntilOver(cluster, async () => {
    const { rows } = await database.query(OVER)
    return rows.length === 0
  })
  expect(kills).toBeGreaterThanOrEqual(3)

  const { rows } = await database.query<{ id: string; due: string; jobs: number }>(COUNT)
  const wanted = Array.from({ length: SCHEDULES }, (_, n) => n).flatMap((n) =>
    Array.from({ length: SECONDS }, (_, second) => ({
      id: `each-${String(n).padStart(2, '0')}`,
      due: new Date(begin + second * 1_000).toISOString(),
      jobs: 1,
    })),
  )
  expect(rows).toEqual(wanted)
})

function create(client: ScheduleServiceClient, n: number, begin: number) {
  const request = CreateScheduleRequest.fromPartial({
    requestId: `each-${n}`,
    schedule: {
      scheduleId: `each-${String(n).padStart(2, '0')}`,
      job: {
        method: 'cluster.double',
        params: { source: { $case: 'inline', value: Buffer.from('{"n":1}') } },
      },
      timing: { $case: 'interval', value: durationFrom(1_000) },
      beginTime: new Date(begin),
      endTime: new Date(begin + SECONDS * 1_000),
      overlapPolicy: OverlapPolicy.OVERLAP_POLICY_ALLOW,
      catchUpWindow: durationFrom(600_000),
      catchUpLimit: 1_000,
    },
  })
  return new Promise<CreateScheduleResponse>((resolve, reject) => {
    client.createSchedule(request, (error, answer) => (error ? reject(error) : resolve(answer)))
  })
}

/** One after the other, at random moments, by turns killed and frozen; in their midst PostgreSQL crashes. How often. */
async function killUntilOver(
  { schedulers, postgres }: Cluster,
  isOver: () => Promise<boolean>,
): Promise<number> {
  let kills = 0
  let over = false
  const killing = (async () => {
    for (let turn = 0; !over; turn++) {
      await pause(Math.random() * KILL_MS)
      const member = schedulers[turn % schedulers.length]
      if (over || member === undefined) return
      kills += 1
      if (turn % 4 === 1) await freeze(member)
      else await killAndRestart(member)
      if (turn === 2) await postgres.restart('immediate')
    }
  })()
  // PostgreSQL may be away when it is asked.
  const isOverNow = () => isOver().catch(() => false)
  try {
    await until(isOverNow, {
      timeoutMs: 200_000 + SECONDS * 1_500,
      what: 'the schedules to be over',
    })
  } finally {
    over = true
    await killing
  }
  return kills
}

async function freeze({ process }: ClusterMember): Promise<void> {
  process.signal('SIGSTOP')
  await pause(FROZEN_MS)
  process.signal('SIGCONT')
}

async function killAndRestart(member: ClusterMember): Promise<void> {
  await member.process.kill('SIGKILL').catch(() => {})
  await member.restart()
}
