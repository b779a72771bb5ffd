/** Runs the examples of the guide on values across processes, in TypeScript and in a shell, against services with its jobs. */
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

/** Two functions that read each other; a module of jobs is not told where its services are. */
const CIRCLE = `
import { Offstage } from '@offstage/sdk'
import { exposeReusable, remoteReusable } from '@offstage/sdk/tiers'
import { reusable } from '@offstage/sdk/values'

let remotes
async function ask(name, scheduler) {
  remotes ??= Offstage.connect({ scheduler }).then((offstage) => ({
    a: remoteReusable(offstage, 'reusable.a', { name: 'remote a', singleFlight: true }),
    b: remoteReusable(offstage, 'reusable.b', { name: 'remote b', singleFlight: true }),
  }))
  return (await remotes)[name](scheduler)
}
export const a = exposeReusable(reusable(async (scheduler) => ask('b', scheduler), { name: 'a' }))
export const b = exposeReusable(reusable(async (scheduler) => ask('a', scheduler), { name: 'b' }))
`
const BOTH_ENDS = `
import { Offstage } from '@offstage/sdk'
import { remoteReusable } from '@offstage/sdk/tiers'

await using offstage = await Offstage.connect()
const ends = ['reusable.a', 'reusable.b'].map((name) => remoteReusable(offstage, name, { singleFlight: true }))
const both = await Promise.allSettled(ends.map((end) => end(process.env.OFFSTAGE_SCHEDULER)))
for (const { reason } of both) console.log(reason.reason)
`

const GUIDE = 'docs/guides/shared-values.md'

test('the examples of the guide on shared values do what they say', async () => {
  const [rates = '', service = '', exposed = '', remote = ''] = await blocksOf(GUIDE, 'ts')
  const files = {
    'rates.ts': rates,
    'service.ts': service,
    'exposed.ts': exposed,
    'remote.ts': remote,
  }
  await using playground = await openPlayground(files, ['rates.ts', 'exposed.ts'])
  expect(await playground.run('service.ts')).toBe('first 1\nagain 1\ncomputed anew\n')
  expect(await playground.run('remote.ts')).toBe('computed there, remembered here\n')

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  expect(await playground.shell(lines)).toBe('')
}, 180_000)

test('a circle that is entered from both ends at once fails with the circle at both', async () => {
  const files = { 'circle.ts': CIRCLE, 'both-ends.ts': BOTH_ENDS }
  await using playground = await openPlayground(files, ['circle.ts'])
  expect(await playground.run('both-ends.ts')).toBe('ReusableCycleError\nReusableCycleError\n')
}, 180_000)
