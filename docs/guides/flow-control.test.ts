/** Runs the examples of the guide as one program, against services with the method that it speaks of. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')

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
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  await writeFile(join(cwd, 'job.ts'), JOB)
  const example = (await blocksOf('docs/guides/flow-control.md', 'ts')).join('\n')
  expect(example).toMatch(/assert\.\w+\(/)
  await writeFile(join(cwd, 'example.ts'), example)
  await using services = await spawnProcess({
    main: join(root, 'cli/src/main.ts'),
    args: ['dev', '--jobs', 'job.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
    env: { OFFSTAGE_EXECUTOR_DRAIN_GRACE: '100ms' },
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  await promisify(execFile)(process.execPath, [join(cwd, 'example.ts')], {
    env: { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE },
    timeout: 40_000,
  })
})
