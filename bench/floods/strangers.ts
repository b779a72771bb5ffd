/**
 * What is left to a known caller in each of the first seconds of a flood of strangers, beside a quiet run just before. Absolute figures depend
 * on the machine, which the flood takes its part of as well; the ratios are what counts. Each flood comes from a new address.
 */
import { spawnProcess, startTestIssuer } from '@offstage/testkit'
import { startStack } from '../hot-path/stack.ts'
import { connectKnown } from './known-caller.ts'
import { STRANGERS } from './stranger-calls.ts'

const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const PER_SECOND = process.env.BENCH_CALLS ?? '3000'
const CONNECTIONS = process.env.BENCH_CONNECTIONS ?? '50'
const wanted = process.argv.slice(2)
const names = wanted.length > 0 ? wanted : Object.keys(STRANGERS)

await using issuer = await startTestIssuer()
// Its keys have the same names, so signatures are looked at.
await using forger = await startTestIssuer()
const forged = await Promise.all(
  Array.from({ length: 200 }, (_, i) => forger.sign({ user: `mallory-${i}` })),
)
await using stack = await startStack({
  OFFSTAGE_IDENTITY: await issuer.identityFile(),
  OFFSTAGE_TOKEN: await issuer.sign({ user: 'executor', roles: ['executor'], endsInS: 3_600 }),
})
const token = await issuer.sign({ user: 'ann', endsInS: 3_600 })
using known = connectKnown(stack.scheduler, token)

async function everySecond(): Promise<number[]> {
  const rates: number[] = []
  for (let second = 0; second < SECONDS; second += 1) rates.push(await known.rate(1))
  return rates
}

await everySecond()
const rows: Record<string, object> = {}
let address = 1
for (const name of names) {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = await everySecond()
    const quiet = before.reduce((sum, each) => sum + each, 0) / before.length
    address += 1
    const flood = await spawnProcess({
      main: new URL('./stranger-flood.ts', import.meta.url),
      args: [stack.scheduler, `127.0.1.${address}`, name, PER_SECOND, CONNECTIONS],
      env: { STRANGER_TOKENS: forged.join(' ') },
      ready: /flooding/,
    })
    const during = await everySecond()
    await flood.kill()
    const ratios = during.map((each, i) => [`second ${i + 1}`, (each / quiet).toFixed(2)])
    const row = `${STRANGERS[name]?.about ?? name} (${round})`
    rows[row] = { quiet: `${Math.round(quiet)}/s`, ...Object.fromEntries(ratios) }
    console.log(`${row} done`)
  }
}
console.table(rows)
