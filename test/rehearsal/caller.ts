/** A caller of whichever version it lies in: one job of each kind, and what came of them on standard output. */
import { Offstage } from '@offstage/sdk'
import { family, large, plain } from './jobs.ts'

await using offstage = await Offstage.connect()
const text = `${'x'.repeat(100_000)}y`
const results = [
  await offstage.run(plain, { n: 21 }),
  await offstage.run(family, { n: 4 }),
  (await offstage.run(large, { text })).slice(0, 2),
]
console.log(`results ${JSON.stringify(results)}`)
