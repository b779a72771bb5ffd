/**
 * The hot path: no-op jobs started and awaited, beside a bare gRPC echo and a bare SQL loop in the same run. Absolute
 * figures depend on the machine; the ratios are what counts.
 */

import { Offstage } from '@offstage/sdk'
import { spawnProcess } from '@offstage/testkit'
import { connectEcho } from './echo.ts'
import { noop } from './jobs.ts'
import { median, rate, startBatch } from './rate.ts'
import { openSqlLoop } from './sql-loop.ts'
import { startStack } from './stack.ts'

const ROUNDS = 3
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)

await using stack = await startStack()
await using echoServer = await spawnProcess({
  main: new URL('./echo-server.ts', import.meta.url),
  ready: /echo on (\S+)/,
})
const echo = connectEcho(echoServer.ready[1] ?? '')
await using sqlLoop = await openSqlLoop(stack.databaseUrl)
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })

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

const figures = { batches: [], one: [], echo: [], sql: [], p50: [], p99: [] } as Record<
  'batches' | 'one' | 'echo' | 'sql' | 'p50' | 'p99',
  number[]
>
for (let i = 0; i < 5; i++) await startBatch(offstage)
for (let round = 1; round <= ROUNDS; round++) {
  figures.sql.push(await rate(SECONDS, 1, () => sqlLoop.run()))
  figures.batches.push(await rate(SECONDS, 8, () => startBatch(offstage)))
  figures.echo.push(await rate(SECONDS, 100, echoOne))
  figures.one.push(await rate(SECONDS, 100, startOne))
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
