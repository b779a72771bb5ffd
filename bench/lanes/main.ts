/**
 * What a job that does nothing costs in each lane, started and awaited over the whole product, beside piscina alone: that calls a function
 * on a thread of its own process, keeps nothing and speaks with nobody. Figures depend on the machine; the ratios are what counts.
 *
 * Run: BENCH_SECONDS=5 BENCH_ROUNDS=3 node bench/lanes/main.ts
 */
import { Offstage } from '@offstage/sdk'
import { noop } from '../hot-path/jobs.ts'
import { median, rate } from '../hot-path/rate.ts'
import { startStack } from '../hot-path/stack.ts'
import { openPiscina } from './piscina.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)
/** Calls at once. */
const LOOPS = 2
/** Jobs in one call: those of a lane that is slow are to end within the time. */
const BATCHES = { inline: 500, task: 200, work: 4, process: 50 } as const
type Lane = keyof typeof BATCHES
const LANES = Object.keys(BATCHES) as Lane[]

await using stack = await startStack({ OFFSTAGE_EXECUTOR_PROCESS_SLOTS: '2' })
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })
await using piscina = await openPiscina()

async function runBatch(lane: Lane): Promise<number> {
  const params = new Array<undefined>(BATCHES[lane]).fill(undefined)
  const jobs = await offstage.startJobs(noop, params, { lane, inlineWaitMs: 60_000 })
  for (const job of jobs) if (!job.isSucceeded) throw new Error(`job ${job.id} is ${job.status}`)
  return jobs.length
}

async function runAlone(): Promise<number> {
  await Promise.all(Array.from({ length: 500 }, () => piscina.run(undefined)))
  return 500
}

// Threads, processes and compiled code are there then.
for (const lane of LANES) await runBatch(lane)
await runAlone()

const alone: number[] = []
const figures = Object.fromEntries(LANES.map((lane) => [lane, [] as number[]]))
for (let round = 1; round <= ROUNDS; round += 1) {
  alone.push(await rate(SECONDS, 1, runAlone))
  for (const lane of LANES) figures[lane]?.push(await rate(SECONDS, LOOPS, () => runBatch(lane)))
  console.log(`round ${round} of ${ROUNDS} done`)
}
const base = median(alone)
const rows = LANES.map((lane) => {
  const jobs = median(figures[lane] ?? [])
  return { lane, 'jobs/s': Math.round(jobs), 'of piscina': Number((jobs / base).toFixed(4)) }
})
console.table([...rows, { lane: 'piscina alone', 'jobs/s': Math.round(base), 'of piscina': 1 }])
