/**
 * What it costs to wait: many clients, each with waits of its own, while nothing changes, and how long it takes until all are
 * answered once everything ends. Statements are counted by PostgreSQL itself.
 *
 * Run: BENCH_CLIENTS=1000 BENCH_WAITS=10000 node bench/waits/main.ts
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, openPostgres } from '@offstage/kit/database'
import { type JobHandle, Offstage } from '@offstage/sdk'
import { noop } from '../hot-path/jobs.ts'
import { startStack } from '../hot-path/stack.ts'

const CLIENTS = Number(process.env.BENCH_CLIENTS ?? 1_000)
const WAITS = Number(process.env.BENCH_WAITS ?? 10_000)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 60)
/** In which the waits settle: polls rest once the streams have said that they are looked after. */
const SETTLE_SECONDS = 20
const CONNECT_AT_ONCE = 50

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024)
}

/** Of all processes that work on the database, this one's own included. */
async function transactions(database: Database): Promise<number> {
  // A session tells of its statements within a second.
  await sleep(1_500)
  const { rows } = await database.query<{ count: number }>({
    name: '',
    text: `SELECT (xact_commit + xact_rollback)::float8 AS count FROM pg_stat_database
      WHERE datname = current_database()`,
  })
  return rows[0]?.count ?? Number.NaN
}

async function during(database: Database, seconds: number): Promise<number> {
  const before = await transactions(database)
  await sleep(seconds * 1_000)
  return ((await transactions(database)) - before) / (seconds + 1.5)
}

async function connectAll(scheduler: string): Promise<Offstage[]> {
  const clients: Offstage[] = []
  while (clients.length < CLIENTS) {
    const more = Math.min(CONNECT_AT_ONCE, CLIENTS - clients.length)
    const opened = Array.from({ length: more }, (_, at) =>
      Offstage.connect({ scheduler, user: `caller-${(clients.length + at) % 100}` }),
    )
    clients.push(...(await Promise.all(opened)))
  }
  return clients
}

/** One batch of each client. */
async function startAll(clients: readonly Offstage[]): Promise<JobHandle[]> {
  const jobs: JobHandle[] = []
  const share = new Array(WAITS / CLIENTS).fill(undefined)
  for (const client of clients) jobs.push(...(await client.startJobs(noop, share)))
  return jobs
}

await using stack = await startStack()
await using database = await openPostgres({
  url: stack.jobsDatabaseUrl,
  poolSize: 1,
  applicationName: 'bench',
})
await using operator = await Offstage.connect({ scheduler: stack.scheduler, user: 'operator' })
const seconds = (fromMs: number) => `${((performance.now() - fromMs) / 1_000).toFixed(1)} s`
const rows: Record<string, unknown> = { clients: CLIENTS, waits: WAITS }

await operator.run(noop, undefined)
await operator.pauseMethod('bench.noop')
const memoryBefore = await residentMiB(stack.schedulerPid)
rows['transactions a second, nobody there'] = (await during(database, 5)).toFixed(1)
const clients = await connectAll(stack.scheduler)
const jobs = await startAll(clients)
const waits = jobs.map((job) => job.waitForCompletion())
let answered = 0
for (const wait of waits) void wait.then(() => (answered += 1))
rows['transactions a second, first seconds'] = (await during(database, SETTLE_SECONDS)).toFixed(1)
rows['transactions a second, nothing changes'] = (await during(database, SECONDS)).toFixed(1)
rows['memory of the scheduler'] =
  `${memoryBefore} MiB before, ${await residentMiB(stack.schedulerPid)} MiB`
const counted = await transactions(database)
const before = performance.now()
await operator.resumeMethod('bench.noop')
await Promise.all(waits)
rows['until all are answered'] = seconds(before)
rows['transactions until then'] = (await transactions(database)) - counted
rows.answered = answered
console.table(rows)
for (const client of clients) await client.close()
