/** Runs the examples of the guide on values across processes, in TypeScript and in a shell, against services with its jobs. */
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
const GUIDE = 'docs/guides/shared-values.md'
const run = promisify(execFile)

test('the examples of the guide on shared values do what they say', {
  timeout: 180_000,
}, async () => {
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  await using _removed = { [Symbol.asyncDispose]: () => rm(cwd, { recursive: true }) }
  const [rates = '', service = '', exposed = '', remote = ''] = await blocksOf(GUIDE, 'ts')
  await writeFile(join(cwd, 'rates.ts'), rates)
  await writeFile(join(cwd, 'service.ts'), service)
  await writeFile(join(cwd, 'exposed.ts'), exposed)
  await writeFile(join(cwd, 'remote.ts'), remote)
  const main = join(root, 'cli/src/main.ts')
  await using services = await spawnProcess({
    main,
    args: [
      'dev',
      '--jobs',
      'rates.ts',
      'exposed.ts',
      '--port-base',
      '0',
      '--data-dir',
      join(cwd, 'data'),
    ],
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  const env = { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  const ran = async (file: string) =>
    (await run(process.execPath, [join(cwd, file)], { env, timeout: 60_000 })).stdout
  expect(await ran('service.ts')).toBe('first 1\nagain 1\ncomputed anew\n')
  expect(await ran('remote.ts')).toBe('computed there, remembered here\n')

  const [lines = ''] = await blocksOf(GUIDE, 'sh')
  const offstage = `offstage() { "${process.execPath}" "${main}" "$@"; }`
  const script = ['set -eu', offstage, lines].join('\n')
  expect((await run('sh', ['-c', script], { env, timeout: 120_000 })).stdout).toBe('')
})
