/** Runs the examples of the guide on exclusive mode, in TypeScript and in a shell, against services with the method they speak of. */
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
const GUIDE = 'docs/guides/exclusive-mode.md'
const run = promisify(execFile)

const JOB = `
import { defineJob } from '@offstage/sdk/jobs'
export const delays = defineJob({
  method: 'reports.delays',
  run: (_job, { month }) => 'delays of ' + month,
})
`

test('the examples of the guide on exclusive mode do what they say', {
  timeout: 180_000,
}, async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  await writeFile(join(cwd, 'job.ts'), JOB)
  const main = join(root, 'cli/src/main.ts')
  await using services = await spawnProcess({
    main,
    args: ['dev', '--jobs', 'job.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  const env = { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  const [example = ''] = await blocksOf(GUIDE, 'ts')
  await writeFile(join(cwd, 'example.ts'), example)
  const told = await run(process.execPath, [join(cwd, 'example.ts')], { env, timeout: 60_000 })
  expect(told.stdout).toBe('delays of 2027-01\nNAMESPACE_EXCLUSIVE\nfalse\n')

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  const command = `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`
  await writeFile(join(cwd, 'offstage'), command, { mode: 0o755 })
  // What was entered is told to end, as by Ctrl-C.
  const script = ['set -eu', lines, 'kill $!', 'wait $! || true'].join('\n')
  const path = { PATH: `${cwd}:${process.env.PATH}` }
  const shell = { cwd, env: { ...env, ...path, OFFSTAGE_USER: '' }, timeout: 120_000 }
  const { stdout } = await run('sh', ['-c', script], shell)
  expect(stdout).toMatch(/^OWNER +SINCE +UNTIL\n\S+ +\S+Z +\S+Z\n"delays of 2027-01"\nleft\n$/)
})
