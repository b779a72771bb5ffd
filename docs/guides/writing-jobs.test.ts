/** Runs the example of streams against services with the job that it defines. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')

test('the example of streams does what it says', async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  const blocks = await blocksOf('docs/guides/writing-jobs.md', 'ts')
  for (const name of ['streams.ts', 'send.ts']) {
    const code = blocks.find((block) => block.startsWith(`// ${name}\n`)) ?? ''
    await writeFile(join(cwd, name), code)
  }
  const csv = 'AA,1,late\n'.repeat(500_000)
  await writeFile(join(cwd, 'flights.csv.gz'), gzipSync(csv))
  await using services = await spawnProcess({
    main: join(root, 'cli/src/main.ts'),
    args: ['dev', '--jobs', 'streams.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  const env = { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  await promisify(execFile)(process.execPath, ['send.ts'], { cwd, env, timeout: 40_000 })
  expect(await readFile(join(cwd, 'flights.csv'), 'utf8')).toBe(csv)
}, 120_000)
