/** Runs the examples of the guide on schedules, in TypeScript and in a shell, against services with the method they speak of. */
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

const GUIDE = 'docs/guides/schedules.md'

test('the examples of the guide on schedules do what they say', async () => {
  const [example = '', module = ''] = await blocksOf(GUIDE, 'ts')
  const files = { 'example.ts': example, 'job.ts': module }
  await using playground = await openPlayground(files, ['job.ts'])
  expect(await playground.run('example.ts')).toMatch(
    /^nightly-delays until \d{4}-\d\d-\d\dT[\d:.]+Z$/m,
  )

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  const stdout = await playground.shell(`offstage schedules delete nightly-delays\n${lines}`)
  // Declared beside its job.
  expect(stdout).toMatch(/^hourly-delays .* 0 \* \* \* \* /m)
  expect(stdout).toMatch(/^nightly-delays .* 0 4 \* \* \* .* stock-taking$/m)
  const ids = new Set(stdout.match(/^[0-9a-f-]{36}$/gm))
  const listed = [...ids].filter((id) => stdout.split(`${id} `).length > 1)
  // One by the trigger, seven by the backfill.
  expect([ids.size, listed.length]).toEqual([8, 8])
}, 180_000)
