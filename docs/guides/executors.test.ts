/** Runs the example of versions: an executor of the new code beside one of the old. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { spawnProcess, until } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')

/** What was deployed before. */
const OLD = `
import { defineJob } from '@offstage/sdk'
export const report = defineJob({ method: 'reports.total', run: () => 'of the old code' })
`

test('new code runs beside old, and a start that requires a version is given to it alone', async () => {
  await using resources = new AsyncDisposableStack()
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  resources.defer(() => rm(cwd, { recursive: true }))
  for (const code of await blocksOf('docs/guides/executors.md', 'ts')) {
    const name = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1]
    if (name !== undefined) await writeFile(join(cwd, name), code)
  }
  await writeFile(join(cwd, 'old.ts'), OLD)
  const main = join(root, 'cli/src/main.ts')
  const dev = resources.use(
    await spawnProcess({
      ...{ main, cwd, env: { OFFSTAGE_METHOD_VERSION: '1' } },
      args: ['dev', '--jobs', 'old.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
      ready: /is ready: scheduler=(\S+) storage=(\S+)/,
      readyTimeoutMs: 60_000,
    }),
  )
  const [, OFFSTAGE_SCHEDULER = '', OFFSTAGE_STORAGE = ''] = dev.ready
  const places = { OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  const run = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, ...places } })
  const offstage = async (...args: readonly string[]) => (await run(main, ...args)).stdout

  const waits = run('start-new.ts')
  const jobs = async () => JSON.parse(await offstage('jobs', '--json'))
  await until(async () => (await jobs()).length > 0, { what: 'the job is queued' })
  const [job] = await jobs()
  expect(job).toMatchObject({ state: 'queued', requiredVersion: '2' })
  expect(await offstage('explain', job.id)).toContain(
    'announces version 2 of it is attached to namespace default: of reports.total the one that is there announces version 1',
  )
  expect(await offstage('start', 'reports.total', '--wait', '--require-version', '1')).toBe(
    '"of the old code"\n',
  )
  resources.use(
    await spawnProcess({
      main: join(root, 'services/executor/src/main.ts'),
      cwd,
      env: { ...places, OFFSTAGE_JOBS: 'reports.ts', OFFSTAGE_EXECUTOR_PORT: '0' },
      ready: /serving gRPC/,
      readyTimeoutMs: 60_000,
    }),
  )
  expect((await waits).stdout).toBe('total 3\n')
  expect(await offstage('executors')).toMatch(
    /reports\.total@1(.|\n)*reports\.total@2|reports\.total@2(.|\n)*reports\.total@1/,
  )
  expect(await offstage('methods')).toMatch(/reports\.total +inline +2 +1, 2 /)
}, 120_000)
