/** Runs the examples of the guides on filters and on many jobs, against services with the method that they speak of. */
import { isFilterFault, parseFilter } from '@offstage/proto/job-filter'
import { expect, test } from 'vitest'
import { allBlocksOf, blocksOf } from '../code-blocks.ts'
import { openPlayground } from './testing/playground.ts'

const GUIDES = ['docs/guides/filters.md', 'docs/guides/jobs-in-bulk.md']

/** It runs until it is stopped. */
const JOB = `
import { once } from 'node:events'
import { defineJob } from '@offstage/sdk/jobs'
export const build = defineJob({
  method: 'reports.build',
  run: (job) => once(job.signal, 'abort').then(() => {}),
})
`

test('the examples of the guides on filters and on many jobs do what they say', async () => {
  const examples = await Promise.all(
    GUIDES.map(async (guide, index) => {
      const [example = ''] = await blocksOf(guide, 'ts')
      expect(example).toContain('offstage.')
      return [`example-${index}.ts`, example] as const
    }),
  )
  const files = { 'job.ts': JOB, ...Object.fromEntries(examples) }
  await using playground = await openPlayground(files, ['job.ts'])
  for (const [file] of examples) await playground.run(file)
})

test('every filter that the guides show can be read', async () => {
  const blocks = (await Promise.all(GUIDES.map(allBlocksOf))).flat()
  const shown = blocks.flatMap(({ code }) =>
    [...code.matchAll(/(?:--filter|jobs|count|filter:) '([^']+)'/g)].map(([, text = '']) => text),
  )
  expect(shown.length).toBeGreaterThan(6)
  expect(shown.map(parseFilter).filter(isFilterFault)).toEqual([])
})
