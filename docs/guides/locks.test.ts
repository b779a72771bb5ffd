/** Runs the examples of the guide on data locks, in TypeScript and in a shell, against services with the job they speak of. */
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

const GUIDE = 'docs/guides/locks.md'

test('the examples of the guide on data locks do what they say', async () => {
  const [inJob = '', outside = ''] = await blocksOf(GUIDE, 'ts')
  const [definition = '', use = ''] = inJob.split('\nawait using offstage')
  const files = {
    'job.ts': definition,
    'in-job.ts': `${definition}\nawait using offstage${use}`,
    'outside.ts': outside,
  }
  await using playground = await openPlayground(files, ['job.ts'])
  expect(await playground.run('in-job.ts')).toBe('order 17 rebooked under its lock\n')
  expect(await playground.run('outside.ts')).toMatch(
    /^\[ 'orders\/17' \]\norders\/17 is held by \S+\nfalse\n\[ 'orders\/18' \]\n$/,
  )

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  expect(await playground.shell(lines)).toBe('[]\n0\n')
}, 180_000)
