/**
 * How long an ordinary job takes from its start to its result while another caller floods the scheduler, beside a quiet
 * run. Absolute figures depend on the machine; the ratios are what counts.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { spawnProcess } from '@offstage/testkit'
import { noop } from '../hot-path/jobs.ts'
import { history } from '../hot-path/past-jobs.ts'
import { startStack } from '../hot-path/stack.ts'
import { FLOODER, FLOODS } from './floods.ts'

const JOBS = Number(process.env.BENCH_JOBS ?? 1_000_000)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 10)
const WATCHED = 200
const RESULT_BYTES = 2_048
const wanted = process.argv.slice(2)
const names = wanted.length > 0 ? wanted : Object.keys(FLOODS)

interface Seen {
  readonly meanMs: number
  readonly medianMs: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly done: number
  readonly failed: string
}

/** One job after the other for a while, as a caller of its own. */
async function ordinary(scheduler: string): Promise<Seen> {
  await using offstage = await Offstage.connect({ scheduler, user: 'ann' })
  const samples: number[] = []
  const failures = new Map<string, number>()
  const end = performance.now() + SECONDS * 1_000
  while (performance.now() < end) {
    const begin = performance.now()
    try {
      await offstage.run(noop, undefined, { signal: AbortSignal.timeout(30_000) })
      samples.push(performance.now() - begin)
    } catch (error) {
      const reason = (error as { reason?: string }).reason ?? String(error)
      failures.set(reason, (failures.get(reason) ?? 0) + 1)
    }
    await sleep(5)
  }
  samples.sort((a, b) => a - b)
  const at = (part: number) => samples[Math.floor(samples.length * part)] ?? Number.NaN
  return {
    meanMs: samples.reduce((sum, ms) => sum + ms, 0) / samples.length,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    maxMs: samples.at(-1) ?? Number.NaN,
    done: samples.length,
    failed: [...failures].map(([reason, count]) => `${count} ${reason}`).join(', '),
  }
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024)
}

function row(
  { meanMs, medianMs, p99Ms, maxMs, done, failed }: Seen,
  quiet: Seen,
  memoryMiB: number,
) {
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const times = `${(meanMs / quiet.meanMs).toFixed(1)}×`
  const memory = `${memoryMiB} MiB`
  const spread = { median: ms(medianMs), p99: ms(p99Ms), max: ms(maxMs) }
  return { mean: ms(meanMs), times, ...spread, done, failed, memory }
}

const rows: Record<string, object> = {}
for (const name of names) {
  // A stack for each: what one flood leaves behind is no matter of the next.
  await using stack = await startStack()
  const options = { url: stack.jobsDatabaseUrl, poolSize: 1, statementTimeoutMs: 300_000 }
  await using database = await openPostgres(options)
  if (name === 'listings')
    await database.query(history('5', 'history.finished', 2 * JOBS, JOBS + 1))
  await database.query(history('5', 'history.watched', WATCHED, 1))
  const results = {
    name: '',
    text: `UPDATE offstage.jobs SET owner = '${FLOODER}', result = convert_to('"' || repeat('x', ${RESULT_BYTES}) || '"', 'UTF8')
      WHERE method = 'history.watched' RETURNING id::text`,
  }
  const { rows: watched } = await database.query<{ id: string }>(results)
  await database.query({ name: '', text: 'VACUUM ANALYZE offstage.jobs' })

  const quiet = await ordinary(stack.scheduler)
  rows.quiet ??= row(quiet, quiet, await residentMiB(stack.schedulerPid))
  await using _flood = await spawnProcess({
    main: new URL('./flood.ts', import.meta.url),
    args: [name, stack.scheduler],
    env: { FLOOD_JOB_IDS: watched.map(({ id }) => id).join(',') },
    ready: /flooding/,
  })
  await sleep(1_000)
  const flooded = await ordinary(stack.scheduler)
  rows[FLOODS[name]?.about ?? name] = row(flooded, quiet, await residentMiB(stack.schedulerPid))
  console.log(`${name} done`)
}
console.table(rows)
