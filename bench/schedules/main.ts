/**
 * How late jobs begin when very many schedules are due in the same second: from the due time until the job is recorded, and until an
 * executor has it.
 *
 * Run: BENCH_SCHEDULES=10000 node bench/schedules/main.ts
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { noop } from '../hot-path/jobs.ts'
import { startStack } from '../hot-path/stack.ts'

const SCHEDULES = Number(process.env.BENCH_SCHEDULES ?? 10_000)
/** Until they are due; to create them takes some of it. */
const AHEAD_MS = 10_000

async function ask<Row>(database: Database, text: string, values: readonly unknown[] = []) {
  return (await database.query<Row>({ name: '', text }, values)).rows
}

/** As many as are wanted of one, each under an id of its own and due at the same time. */
const COPY = `
  INSERT INTO offstage.schedules (namespace, id, uid, owner, creator, roles, terms, due_time, wake_time)
  SELECT namespace, 'bench-' || n, gen_random_uuid(), owner, creator, roles, terms, due_time, due_time
  FROM offstage.schedules CROSS JOIN generate_series(1, $1::int) n WHERE id = 'bench'`

const LATE = `
  SELECT count(*)::int AS jobs, count(start_time)::int AS begun,
    percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM create_time - $1) * 1000)::float8[] AS created,
    percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM start_time - $1) * 1000)::float8[] AS started
  FROM offstage.jobs WHERE kind = 3`

interface Late {
  jobs: number
  begun: number
  created: number[]
  started: number[]
}

await using stack = await startStack()
await using database = await openPostgres({
  url: stack.jobsDatabaseUrl,
  poolSize: 1,
  applicationName: 'bench',
})
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })
await offstage.run(noop, undefined)
const due = new Date(Math.ceil((Date.now() + AHEAD_MS) / 1_000) * 1_000)
const daily = { intervalMs: 86_400_000, anchor: due }
await offstage.schedules.create({ id: 'bench', job: noop, ...daily })
await ask(database, COPY, [SCHEDULES - 1])
await sleep(due.getTime() - Date.now())
let late: Late | undefined
do {
  await sleep(1_000)
  late = (await ask<Late>(database, LATE, [due]))[0]
} while (late === undefined || late.begun < SCHEDULES)
const shown = (delays: readonly number[]) => {
  const [p50, p99, max] = delays.map((ms) => `${Math.round(ms)} ms`)
  return { p50, p99, max }
}
console.table({
  'due time to job recorded': shown(late.created),
  'due time to begin of the job': shown(late.started),
})
