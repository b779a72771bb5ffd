import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SpawnedProcess, spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { blocksOf } from './code-blocks.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const cli = join(root, 'cli/src/main.ts')

/** Three processes are started, which takes a busy machine a while. */
const TIMEOUT_MS = 180_000
const READY_TIMEOUT_MS = 60_000

/** The arguments of the first command line of `program` in a document. */
async function argumentsOf(file: string, program: string): Promise<string[]> {
  const lines = (await blocksOf(file, 'sh')).join('').split('\n')
  const line = lines.find((each) => each.startsWith(`${program} `)) ?? ''
  const words = line.slice(program.length).matchAll(/'([^']*)'|\S+/g)
  return [...words].map(([word, quoted]) => quoted ?? word)
}

interface Playground extends AsyncDisposable {
  /** Runs a program there until it writes a line like `ready`, on the services started before. */
  run(main: string, args: readonly string[], ready: RegExp): Promise<SpawnedProcess>
}

/** A folder that is like the checkout for whoever saves hello.ts there, with the services started as it says. */
async function openPlayground(hello: string, dev: readonly string[]): Promise<Playground> {
  const resources = new AsyncDisposableStack()
  const cwd = await mkdtemp(join(tmpdir(), 'offstage-readme-'))
  resources.defer(() => rm(cwd, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(cwd, 'node_modules'))
  await writeFile(join(cwd, 'hello.ts'), hello)
  const services = await spawnProcess({
    main: cli,
    args: [...dev, '--port-base', '0', '--data-dir', join(cwd, 'data')],
    cwd,
    ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    readyTimeoutMs: READY_TIMEOUT_MS,
  })
  resources.use(services)
  const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
  const env = { OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  return {
    run: async (main, args, ready) =>
      resources.use(
        await spawnProcess({ main, args, cwd, env, ready, readyTimeoutMs: READY_TIMEOUT_MS }),
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

test('the hello world of the README runs as the README says', { timeout: TIMEOUT_MS }, async () => {
  const [hello = ''] = await blocksOf('README.md', 'ts')
  const dev = await argumentsOf('README.md', 'offstage')
  const [file = ''] = await argumentsOf('README.md', 'node')
  expect([dev, file]).toEqual([['dev', '--jobs', 'hello.ts'], 'hello.ts'])

  await using playground = await openPlayground(hello, dev)
  const caller = await playground.run(file, [], /^Hello Ada, this is job [0-9a-f-]{36}$/)
  expect(await caller.exited).toMatchObject({ code: 0 })

  const command = await argumentsOf('docs/guides/getting-started.md', 'offstage')
  expect(command).toEqual(dev)
  const lines = (await blocksOf('docs/guides/getting-started.md', 'sh')).join('')
  const [start = ''] = /^offstage start .*$/m.exec(lines) ?? []
  const [, , method = '', params = ''] = /^(\w+) start (\S+) '(.*)' --wait$/.exec(start) ?? []
  const cliCaller = await playground.run(cli, ['start', method, params, '--wait'], /Hello Bob/)
  expect(await cliCaller.exited).toMatchObject({ code: 0 })
})

test('getting started begins with the same program as the README', async () => {
  const [readme] = await blocksOf('README.md', 'ts')
  const [guide] = await blocksOf('docs/guides/getting-started.md', 'ts')
  expect(guide).toBe(readme)
})
