/** Runs the examples that come in files of their own against services with the jobs that they define. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { spawnProcess } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')

let it: Awaited<ReturnType<typeof startServices>>
beforeAll(async () => {
  it = await startServices(['streams.ts', 'totals.ts', 'attached.ts'])
})
afterAll(() => it?.close())

test('the example of streams does what it says', async () => {
  const csv = 'AA,1,late\n'.repeat(500_000)
  await writeFile(join(it.cwd, 'flights.csv.gz'), gzipSync(csv))
  await it.run('send.ts')
  expect(await readFile(join(it.cwd, 'flights.csv'), 'utf8')).toBe(csv)
}, 120_000)

test('a handler writes its result where the caller has reserved an address, and its additional result is at another one', async () => {
  await it.run('read-totals.ts')
}, 60_000)

test('a job ends with the last of its attached children', async () => {
  await it.run('send-all.ts')
}, 60_000)

test('a job runs in the process of its caller', async () => {
  expect((await it.run('in-process.ts')).stdout).toBe('true\n')
}, 60_000)

/** The page's files in a folder of their own, and services that run these of them. */
async function startServices(jobs: readonly string[]) {
  const resources = new AsyncDisposableStack()
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  resources.defer(() => rm(cwd, { recursive: true }))
  for (const code of await blocksOf('docs/guides/writing-jobs.md', 'ts')) {
    const name = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1]
    if (name !== undefined) await writeFile(join(cwd, name), code)
  }
  const services = resources.use(
    await spawnProcess({
      main: join(root, 'cli/src/main.ts'),
      args: ['dev', '--jobs', ...jobs, '--port-base', '0', '--data-dir', join(cwd, 'data')],
      cwd,
      ready: /is ready: scheduler=(\S+) storage=(\S+)/,
      readyTimeoutMs: 60_000,
    }),
  )
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  const env = { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  const run = (file: string) =>
    promisify(execFile)(process.execPath, [file], { cwd, env, timeout: 40_000 })
  return { cwd, run, close: () => resources.disposeAsync() }
}
