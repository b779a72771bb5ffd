/**
 * How long a refresh of reusable values takes until it has resolved, and until another client has dropped the value, over services in
 * processes of their own; and what becomes of a flood of them.
 *
 * Run: BENCH_REFRESHES=500 BENCH_RATE=1000 BENCH_SECONDS=5 node bench/values/refreshes.ts
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Offstage } from '@offstage/sdk'
import type { RefreshMessage } from '@offstage/sdk/values'
import { startStack } from '../hot-path/stack.ts'

const REFRESHES = Number(process.env.BENCH_REFRESHES ?? 500)
const RATE = Number(process.env.BENCH_RATE ?? 1_000)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 5)
const TICK_MS = 10

await using stack = await startStack()
await using here = await Offstage.connect({ scheduler: stack.scheduler })
await using there = await Offstage.connect({ scheduler: stack.scheduler })
let heard: (message: RefreshMessage) => void = () => {}
let messages = 0
using _heard = there.refreshPort.subscribe((message) => {
  messages += 1
  heard(message)
})
await there.refreshPort.reached

const resolvedMs: number[] = []
const heardMs: number[] = []
for (let n = 0; n < REFRESHES; n += 1) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const beganMs = performance.now()
  heard = ({ scope }) => {
    if (scope.kind !== 'tag' || scope.tag !== `tag:${n}`) return
    heardMs.push(performance.now() - beganMs)
    resolve()
  }
  await here.refreshValues({ tag: `tag:${n}` })
  resolvedMs.push(performance.now() - beganMs)
  await promise
  // One at a time: the pause between two answers is for floods.
  await sleep(25)
}

const firstEpoch = there.refreshPort.epoch ?? 0
messages = 0
const asked: Promise<void>[] = []
for (let n = 0; n < (SECONDS * 1_000) / TICK_MS; n += 1) {
  for (let at = 0; at < (RATE * TICK_MS) / 1_000; at += 1) {
    asked.push(here.refreshValues({ tag: `tag:${at}` }))
  }
  await sleep(TICK_MS)
}
await Promise.all(asked)
await sleep(500)

const quantile = (all: readonly number[], part: number) =>
  `${([...all].sort((a, b) => a - b)[Math.floor(all.length * part)] ?? Number.NaN).toFixed(1)} ms`
console.table({
  'refresh resolved': { p50: quantile(resolvedMs, 0.5), p99: quantile(resolvedMs, 0.99) },
  'heard by another client': { p50: quantile(heardMs, 0.5), p99: quantile(heardMs, 0.99) },
})
console.log(
  `${asked.length} refreshes at ${RATE} a second: ${(there.refreshPort.epoch ?? 0) - firstEpoch} epochs, ${messages} scopes told to a client`,
)
