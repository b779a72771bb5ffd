/**
 * What a limit costs: batches of no-op jobs as fast as they go, of a method with a limit and without in turn, a second at a time. On
 * executors that have as many slots as the limit, and ten times as many, each with services and a database of its own, so that what
 * else the machine does concerns all. Ends with an error when a goal is missed.
 */
import { Offstage } from '@offstage/sdk'
import { noop } from '../hot-path/jobs.ts'
import { median, rate, startBatch } from '../hot-path/rate.ts'
import { startStack } from '../hot-path/stack.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 8)
const LIMIT = Number(process.env.BENCH_LIMIT ?? 50)
const IN_FLIGHT = 8
const GOAL = 0.5

await using narrow = await startStack({}, { slots: LIMIT })
await using wide = await startStack({}, { slots: 10 * LIMIT })
await using few = await Offstage.connect({ scheduler: narrow.scheduler })
await using many = await Offstage.connect({ scheduler: wide.scheduler })

const second = (client: Offstage) => rate(1, IN_FLIGHT, () => startBatch(client))

async function limit(client: Offstage, concurrencyMax: number | undefined): Promise<void> {
  const limits = concurrencyMax === undefined ? [] : [{ method: noop.method, concurrencyMax }]
  await client.settings.update({ limits })
}

type Way = 'none' | 'noneOfFew' | 'asSlots' | 'tenth' | 'unreached'
const ways: readonly { readonly way: Way; readonly client: Offstage; readonly max?: number }[] = [
  { way: 'none', client: many },
  { way: 'noneOfFew', client: few },
  { way: 'asSlots', client: few, max: LIMIT },
  { way: 'tenth', client: many, max: LIMIT },
  { way: 'unreached', client: many, max: 1_000_000 },
]
const rates: Record<Way, number[]> = {
  none: [],
  noneOfFew: [],
  asSlots: [],
  tenth: [],
  unreached: [],
}
for (let round = 0; round <= ROUNDS; round++) {
  for (const { way, client, max } of ways) {
    await limit(client, max)
    const one = await second(client)
    // The first is to warm up.
    if (round > 0) rates[way].push(one)
  }
}

const perSecond = (way: Way) => `${Math.round(median(rates[way])).toLocaleString('en')}/s`
const ratio = (a: Way, b: Way) =>
  median(rates[a].map((each, index) => each / (rates[b][index] ?? Number.NaN)))
console.table({
  'no limit': { figure: perSecond('none') },
  'a limit that is not reached': { figure: perSecond('unreached') },
  [`no limit, and ${LIMIT} slots`]: { figure: perSecond('noneOfFew') },
  [`a limit of ${LIMIT}, and as many slots`]: { figure: perSecond('asSlots') },
  [`a limit of ${LIMIT}, and ten times as many slots`]: { figure: perSecond('tenth') },
})
for (const [what, measured] of [
  ['a limit that is not reached, of none', ratio('unreached', 'none')],
  ['ten times as many slots as the limit, of as many', ratio('tenth', 'asSlots')],
  // As many run at once.
  ['as many slots as the limit, of as many without one', ratio('asSlots', 'noneOfFew')],
  ['ten times as many slots as the limit, of as many without one', ratio('tenth', 'noneOfFew')],
] as const) {
  const isMet = measured >= GOAL
  console.log(`${isMet ? 'met' : 'MISSED'}: ${measured.toFixed(2)}: ${what} (at least ${GOAL})`)
  if (!isMet) process.exitCode = 1
}
