/** Runs the examples of the guide on data locks, in TypeScript and in a shell, against services with the job they speak of. */
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
const GUIDE = 'docs/guides/locks.md'
const run = promisify(execFile)

test('the examples of the guide on data locks do what they say', { timeout: 180_000 }, async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  const [inJob = '', outside = ''] = await blocksOf(GUIDE, 'ts')
  const [definition = '', use = ''] = inJob.split('\nawait using offstage')
  await writeFile(join(cwd, 'job.ts'), definition)
  await writeFile(join(cwd, 'in-job.ts'), `${definition}\nawait using offstage${use}`)
  await writeFile(join(cwd, 'outside.ts'), outside)
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
  const ran = async (file: string) =>
    (await run(process.execPath, [join(cwd, file)], { env, timeout: 60_000 })).stdout
  expect(await ran('in-job.ts')).toBe('order 17 rebooked under its lock\n')
  expect(await ran('outside.ts')).toMatch(
    /^\[ 'orders\/17' \]\norders\/17 is held by \S+\nfalse\n\[ 'orders\/18' \]\n$/,
  )

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  const offstage = `offstage() { "${process.execPath}" "${main}" "$@"; }`
  const script = ['set -eu', offstage, lines].join('\n')
  const { stdout } = await run('sh', ['-c', script], { env, timeout: 120_000 })
  expect(stdout).toBe('[]\n0\n')
})
