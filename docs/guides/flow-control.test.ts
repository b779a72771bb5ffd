/** Runs the examples of the guide as one program, against services with the method that it speaks of. */
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

/** It runs until it is stopped. */
const JOB = `
import { once } from 'node:events'
import { defineJob } from '@offstage/sdk/jobs'
export const build = defineJob({
  method: 'reports.build',
  run: (job) => once(job.signal, 'abort').then(() => {}),
})
export const digest = defineJob({
  method: 'reports.digest',
  limits: [{ concurrencyMax: 4 }, { per: 'params.tenant', concurrencyMax: 1 }],
  async run() {},
})
`

test('the examples of flow control do what they say', async () => {
  const example = (await blocksOf('docs/guides/flow-control.md', 'ts')).join('\n')
  expect(example).toMatch(/assert\.\w+\(/)
  const files = { 'job.ts': JOB, 'example.ts': example }
  await using playground = await openPlayground(files, ['job.ts'])
  await playground.run('example.ts')
})
