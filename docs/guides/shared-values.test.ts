/** Runs the examples of the guide on values across processes, in TypeScript and in a shell, against services with its jobs. */
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

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
