/**
 * Whether a long history slows the hot path: batches of no-op jobs with empty tables, and again beside a million
 * finished and a million queued jobs, in one run. Ends with an error when the goal is missed.
 */
import { openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { history } from './past-jobs.ts'
import { median, rate, startBatch } from './rate.ts'
import { startStack } from './stack.ts'

const JOBS = 1_000_000
const ROUNDS = 3
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const IN_FLIGHT = 8
const GOAL = 0.9

await using stack = await startStack()
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })
await using database = await openPostgres({
  url: stack.jobsDatabaseUrl,
  poolSize: 1,
  statementTimeoutMs: 300_000,
})

/** The median of some rounds, after one to warm up. */
async function medianRate(): Promise<number> {
  const batches = () => rate(SECONDS, IN_FLIGHT, () => startBatch(offstage))
  await batches()
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) rates.push(await batches())
  return median(rates)
}

const empty = await medianRate()
await database.query(history('5', 'history.finished', 2 * JOBS, JOBS + 1))
await database.query(history('2', 'history.queued', JOBS, 1))
await database.query({ name: '', text: 'VACUUM ANALYZE offstage.jobs' })
const full = await medianRate()

const perSecond = (value: number) => `${Math.round(value).toLocaleString('en')}/s`
const ratio = full / empty
console.table({
  'empty tables': perSecond(empty),
  'beside a million finished and a million queued jobs': perSecond(full),
})
const isMet = ratio >= GOAL
console.log(`${isMet ? 'met' : 'MISSED'}: ${ratio.toFixed(2)} of empty (at least ${GOAL})`)
if (!isMet) process.exitCode = 1
