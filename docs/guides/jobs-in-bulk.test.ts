/** Runs the examples of the guides on filters and on many jobs, against services with the method that they speak of. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isFilterFault, parseFilter } from '@offstage/proto/job-filter'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { allBlocksOf, blocksOf } from '../code-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')
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
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  await writeFile(join(cwd, 'job.ts'), JOB)
  await using services = await spawnProcess({
    main: join(root, 'cli/src/main.ts'),
    args: ['dev', '--jobs', 'job.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
    env: { OFFSTAGE_EXECUTOR_DRAIN_GRACE: '100ms' },
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  for (const guide of GUIDES) {
    const [example = ''] = await blocksOf(guide, 'ts')
    expect(example).toContain('offstage.')
    await writeFile(join(cwd, 'example.ts'), example)
    await promisify(execFile)(process.execPath, [join(cwd, 'example.ts')], {
      env: { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE },
      timeout: 40_000,
    })
  }
})

test('every filter that the guides show can be read', async () => {
  const blocks = (await Promise.all(GUIDES.map(allBlocksOf))).flat()
  const shown = blocks.flatMap(({ code }) =>
    [...code.matchAll(/(?:--filter|jobs|count|filter:) '([^']+)'/g)].map(([, text = '']) => text),
  )
  expect(shown.length).toBeGreaterThan(6)
  expect(shown.map(parseFilter).filter(isFilterFault)).toEqual([])
})
