/** Runs the examples of the guide, in TypeScript and Python, against services with the jobs that it defines. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { spawnProcess } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../code-blocks.ts'
import { hasProgram } from './has-program.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = 'docs/guides/values.md'
/** Inside the workspace, so that package names resolve; ignored by git. */
const SCRATCH = join(root, '.offstage/')
/** Kept: Python is fetched what it needs the first time. */
const PYTHON = join(SCRATCH, 'values-python')

const run = promisify(execFile)

/** Services with the jobs of the page, and the page's example, which is its one block without a name. */
async function setup() {
  const resources = new AsyncDisposableStack()
  await mkdir(SCRATCH, { recursive: true })
  const cwd = await mkdtemp(`${SCRATCH}guide-`)
  resources.defer(() => rm(cwd, { recursive: true }))
  for (const code of await blocksOf(PAGE, 'ts')) {
    const [, name = 'example.ts'] = /^\/\/ ([a-z-]+\.ts)\n/.exec(code) ?? []
    await writeFile(join(cwd, name), code)
  }
  const services = await spawnProcess({
    main: join(root, 'cli/src/main.ts'),
    args: ['dev', '--jobs', 'jobs.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  resources.use(services)
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  const env = { ...process.env, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  return { cwd, env, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

let it: Awaited<ReturnType<typeof setup>>
beforeAll(async () => {
  it = await setup()
})
afterAll(() => it?.[Symbol.asyncDispose]())

test('the example of values beyond JSON does what it says', async () => {
  const [example = ''] = (await blocksOf(PAGE, 'ts')).filter((code) => !code.startsWith('// '))
  expect(example).toMatch(/assert\.\w+\(/)
  await run(process.execPath, [join(it.cwd, 'example.ts')], { env: it.env, timeout: 40_000 })
})

test.runIf(process.env.CI !== undefined || hasProgram('python3'))(
  'Python starts a job with CBOR and reads CBOR, as the page says',
  { timeout: 600_000 },
  async () => {
    const [install = ''] = (await blocksOf('docs/guides/plain-grpc.md', 'sh')).filter((code) =>
      code.startsWith('python3 -m venv'),
    )
    const [add = ''] = await blocksOf(PAGE, 'sh')
    const [program = ''] = await blocksOf(PAGE, 'python')
    expect(program).toContain('assert ')
    await mkdir(PYTHON, { recursive: true })
    await writeFile(join(PYTHON, 'values.py'), program)
    const steps = ['set -euo pipefail', install, add, 'venv/bin/python values.py'].join('\n')
    const env = { ...it.env, OFFSTAGE: root }
    await run('bash', ['-c', steps], { cwd: PYTHON, env, timeout: 590_000 })
  },
)
