/**
 * The hot path: no-op jobs started and awaited, beside a bare gRPC echo and a bare SQL loop in the same run. Absolute
 * figures depend on the machine; the ratios are what counts.
 */
import { spawnProcess } from '@offstage/kit/testkit'
import { Offstage } from '@offstage/sdk'
import { connectEcho } from './echo.ts'
import { noop } from './jobs.ts'
import { openSqlLoop } from './sql-loop.ts'
import { startStack } from './stack.ts'

const ROUNDS = 3
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)
const BATCH = 500
const params = new Array<undefined>(BATCH).fill(undefined)

await using stack = await startStack()
await using echoServer = await spawnProcess({
  main: new URL('./echo-server.ts', import.meta.url),
  ready: /echo on (\S+)/,
})
const echo = connectEcho(echoServer.ready[1] ?? '')
await using sqlLoop = await openSqlLoop(stack.databaseUrl)
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })

/** Runs `work` from `concurrency` loops for a while; how many a second. */
async function rate(concurrency: number, work: () => Promise<number>): Promise<number> {
  const begin = performance.now()
  const end = begin + SECONDS * 1_000
  let done = 0
  const loop = async () => {
    while (performance.now() < end) {
      const finished = await work()
      done += finished
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  return (done / (performance.now() - begin)) * 1_000
}

async function startBatch(): Promise<number> {
  const jobs = await offstage.startJobs(noop, params, { inlineWaitMs: 10_000 })
  for (const job of jobs) if (!job.isSucceeded) throw new Error(`job ${job.id} is ${job.status}`)
  return jobs.length
}

async function echoOne(): Promise<number> {
  await echo.echo()
  return 1
}

async function startOne(): Promise<number> {
  await offstage.run(noop)
  return 1
}

async function latencyMs(): Promise<number[]> {
  const samples: number[] = []
  const end = performance.now() + SECONDS * 1_000
  while (performance.now() < end) {
    const begin = performance.now()
    await startOne()
    samples.push(performance.now() - begin)
  }
  return samples.sort((a, b) => a - b)
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const figures = { batches: [], one: [], echo: [], sql: [], p50: [], p99: [] } as Record<
  'batches' | 'one' | 'echo' | 'sql' | 'p50' | 'p99',
  number[]
>
for (let i = 0; i < 5; i++) await startBatch()
for (let round = 1; round <= ROUNDS; round++) {
  figures.sql.push(await rate(1, () => sqlLoop.run()))
  figures.batches.push(await rate(8, startBatch))
  figures.echo.push(await rate(100, echoOne))
  figures.one.push(await rate(100, startOne))
  const samples = await latencyMs()
  figures.p50.push(samples[Math.floor(samples.length * 0.5)] ?? Number.NaN)
  figures.p99.push(samples[Math.floor(samples.length * 0.99)] ?? Number.NaN)
  console.log(`round ${round} of ${ROUNDS} done`)
}
echo.close()

const perSecond = (values: readonly number[]) =>
  `${Math.round(median(values)).toLocaleString('en')}/s`
const ratio = (a: readonly number[], b: readonly number[]) =>
  median(a.map((value, i) => value / (b[i] ?? Number.NaN))).toFixed(2)
console.table({
  'bare SQL loop, 500 a statement': { figure: perSecond(figures.sql) },
  'jobs started and awaited, batches of 500, 8 in flight': {
    figure: perSecond(figures.batches),
    ratio: `${ratio(figures.batches, figures.sql)} of the SQL loop (goal 0.80)`,
  },
  'bare unary echo, 100 in flight': { figure: perSecond(figures.echo) },
  'jobs started and awaited one by one, 100 callers': {
    figure: perSecond(figures.one),
    ratio: `${ratio(figures.one, figures.echo)} of the echo (goal 0.30)`,
  },
  'one at a time, start to result': {
    figure: `${median(figures.p50).toFixed(2)} ms median, ${median(figures.p99).toFixed(2)} ms p99`,
  },
})
