/** Row K3: one job for each due time, whatever is killed meanwhile. Counted in the database. */
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
import { startCluster } from './cluster/cluster.ts'
import { accessTo } from './guarded/access.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
/** In all; a thousand and more where the environment says so. */
const DUE_TIMES = Number(process.env.DUE_TIMES ?? 240)
const SCHEDULES = 12
const SECONDS = Math.ceil(DUE_TIMES / SCHEDULES)
/** Each replica, again and again. */
const KILL_MS = 1_500

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

test('three schedulers are killed again and again: each due time has one job, none is missing, none has two', {
  timeout: 240_000 + SECONDS * 1_500,
}, async () => {
  await using cluster = await startCluster({ jobs, schedulers: 3, executors: 1 })
  await using database = await openPostgres({ url: cluster.databaseUrl, poolSize: 2 })
  const access = accessTo(cluster.target())
  const client = new ScheduleServiceClient(cluster.target(), access.credentials, access.options)
  const begin = Math.ceil(Date.now() / 1_000) * 1_000 + 8_000
  for (let n = 0; n < SCHEDULES; n++) await create(client, n, begin)
  client.close()

  const { rows: before } = await database.query<{ now: Date }>({ name: '', text: 'SELECT now()' })
  expect(before[0]?.now.getTime()).toBeLessThan(begin)
  const kills = await killUntilOver(cluster.schedulers, async () => {
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

/** One after the other, at random moments, and each is started again; how often. */
async function killUntilOver(
  schedulers: Awaited<ReturnType<typeof startCluster>>['schedulers'],
  isOver: () => Promise<boolean>,
): Promise<number> {
  let kills = 0
  let over = false
  const killing = (async () => {
    for (let turn = 0; !over; turn++) {
      await pause(Math.random() * KILL_MS)
      const member = schedulers[turn % schedulers.length]
      if (over || member === undefined) return
      await member.process.kill('SIGKILL').catch(() => {})
      kills += 1
      await member.restart()
    }
  })()
  try {
    await until(isOver, { timeoutMs: 200_000 + SECONDS * 1_500, what: 'the schedules to be over' })
  } finally {
    over = true
    await killing
  }
  return kills
}
