import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { allBlocksOf, blocksOf } from '../code-blocks.ts'
import { hasProgram } from './has-program.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = 'docs/guides/plain-grpc.md'

/** Go and Python are fetched what they need the first time; it is kept under .offstage. */
const TIMEOUT_MS = 600_000

/** What the page asks to be saved, by the language of the block. */
const SAVED_AS: Readonly<Record<string, string>> = { python: 'client.py', go: 'main.go' }

/** Where CI is set a missing program fails the run; elsewhere nobody needs Go to work on Offstage. */
const canRun = process.env.CI !== undefined || ['go', 'python3'].every(hasProgram)

/** The page as one shell script: what is to be saved is saved where the page says so. */
async function scriptOf(page: string): Promise<string> {
  const steps = (await allBlocksOf(page)).flatMap(({ language, code }) => {
    const file = SAVED_AS[language]
    if (file !== undefined) return [`cat > ${file} <<'END OF FILE'\n${code}END OF FILE\n`]
    return language === 'sh' ? [code] : []
  })
  return ['set -euo pipefail', ...steps].join('\n')
}

async function startServices() {
  const resources = new AsyncDisposableStack()
  const cwd = await mkdtemp(join(tmpdir(), 'offstage-plain-grpc-'))
  resources.defer(() => rm(cwd, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(cwd, 'node_modules'))
  const [hello = ''] = await blocksOf('README.md', 'ts')
  await writeFile(join(cwd, 'hello.ts'), hello)
  const services = await spawnProcess({
    main: join(root, 'cli/src/main.ts'),
    args: ['dev', '--jobs', 'hello.ts', '--port-base', '0', '--data-dir', join(cwd, 'data')],
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: 60_000,
  })
  resources.use(services)
  const [, scheduler = '', storage = ''] = services.ready
  return { scheduler, storage, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

test.runIf(canRun)(
  'every command of the page on plain gRPC works, one after the other',
  {
    timeout: TIMEOUT_MS,
  },
  async () => {
    await using services = await startServices()
    const { scheduler, storage } = services
    const script = (await scriptOf(PAGE))
      .replaceAll('127.0.0.1:7701', scheduler)
      .replaceAll('127.0.0.1:7702', storage)
    const ran = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile('bash', ['-c', script], { cwd: root, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      )
    })
    expect(ran, ran.stderr).toMatchObject({ code: 0 })

    const { stdout } = ran
    expect(stdout).toContain('offstage.jobs.v1.JobService')
    expect(stdout).toContain('"status": "SERVING"')
    expect(stdout).toContain('"state": "JOB_STATE_SUCCEEDED"')
    expect(stdout).toContain('"satisfied": true')
    expect(stdout).toMatch(/"counts": \[\s+\{\s+"state": "JOB_STATE_SUCCEEDED",\s+"count": "1"/)
    expect(stdout).toMatch(/"executors": \[.*"methods": \[.*"greetings\.greet"/s)
    expect(stdout).toMatch(/"address": "val_[0-9a-f]{32}"/)
    expect(stdout).toMatch(/refused, exit code \d+/)
    expect(stdout).toMatch(/^Hello Grace, this is job [0-9a-f-]{36}$/m)
    expect(stdout).toMatch(/^the large result is at val_[0-9a-f]{32}$/m)
    expect(stdout).toMatch(
      /'code': 'NOT_FOUND', 'reason': 'METHOD_UNKNOWN', .*'method': 'greetings\.great'/,
    )
    expect(stdout).toMatch(/'violations': \[\('method', /)
    expect(stdout).toMatch(/^"Hello Rob, this is job [0-9a-f-]{36}"$/m)
    expect(stdout).toContain('refused: METHOD_UNKNOWN')
  },
)
