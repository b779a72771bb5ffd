/**
 * A stack that does no-op jobs when it is told to: for as many seconds as a line on its standard input says, in batches or one by
 * one; answers with the rate. Driven by beside.ts, which puts this file into the tree of another commit, too.
 */
import { createInterface } from 'node:readline'
import { Offstage } from '@offstage/sdk'
import { noop } from './jobs.ts'
import { rate, startBatch } from './rate.ts'
import { startStack } from './stack.ts'

const CALLERS = 100
const BATCHES_IN_FLIGHT = 8
const WARM_UP_BATCHES = 5

await using stack = await startStack()
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })

async function startOne(): Promise<number> {
  await offstage.run(noop)
  return 1
}

for (let i = 0; i < WARM_UP_BATCHES; i++) await startBatch(offstage)
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [kind, seconds] = line.split(' ')
  const perSecond =
    kind === 'batches'
      ? await rate(Number(seconds), BATCHES_IN_FLIGHT, () => startBatch(offstage))
      : await rate(Number(seconds), CALLERS, startOne)
  console.log(`rate ${perSecond}`)
}
