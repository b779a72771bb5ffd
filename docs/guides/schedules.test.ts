/** Runs the examples of the guide on schedules, in TypeScript and in a shell, against services with the method they speak of. */
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
const GUIDE = 'docs/guides/schedules.md'
const run = promisify(execFile)

test('the examples of the guide on schedules do what they say', { timeout: 180_000 }, async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  const [example = '', module = ''] = await blocksOf(GUIDE, 'ts')
  await writeFile(join(cwd, 'job.ts'), module)
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
  await writeFile(join(cwd, 'example.ts'), example)
  const told = await run(process.execPath, [join(cwd, 'example.ts')], { env, timeout: 60_000 })
  expect(told.stdout).toMatch(/^nightly-delays until \d{4}-\d\d-\d\dT[\d:.]+Z$/m)

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  const offstage = `offstage() { "${process.execPath}" "${main}" "$@"; }`
  const script = ['set -eu', offstage, 'offstage schedules delete nightly-delays', lines].join('\n')
  const { stdout } = await run('sh', ['-c', script], { env, timeout: 120_000 })
  // Declared beside its job.
  expect(stdout).toMatch(/^hourly-delays .* 0 \* \* \* \* /m)
  expect(stdout).toMatch(/^nightly-delays .* 0 4 \* \* \* .* stock-taking$/m)
  const ids = new Set(stdout.match(/^[0-9a-f-]{36}$/gm))
  const listed = [...ids].filter((id) => stdout.split(`${id} `).length > 1)
  // One by the trigger, seven by the backfill.
  expect([ids.size, listed.length]).toEqual([8, 8])
})
