/** Where the tests of guides run what their pages show: the services in this process, callers and commands in processes of their own. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { programOf } from '@offstage/testkit'
import { createDevServices } from 'offstage'
import { blocksOf } from '../../code-blocks.ts'

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Inside the workspace, so that package names resolve; ignored by git. */
export const SCRATCH = join(ROOT, '.offstage/')

/** A busy machine takes its time. */
const TIMEOUT_MS = 120_000

export interface Playground extends AsyncDisposable {
  /** The folder, which goes with it. */
  readonly folder: string
  /** Where the services are, for a program. */
  readonly places: { readonly OFFSTAGE_SCHEDULER: string; readonly OFFSTAGE_STORAGE: string }
  /** Runs a file of the folder; resolves to what it printed. */
  run(file: string): Promise<string>
  /** Runs lines of a shell, which ends with the first that fails; there, too, `offstage` is our command. */
  shell(lines: string, options?: ShellOptions): Promise<string>
}

export interface ShellOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Default: the folder. */
  readonly cwd?: string
  readonly timeoutMs?: number
}

/**
 * @param files what is in the folder, by name
 * @param jobs which of them the services run
 * @param env for the services, which see no other variable of ours
 */
export async function openPlayground(
  files: Readonly<Record<string, string>>,
  jobs: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Playground> {
  await using resources = new AsyncDisposableStack()
  await mkdir(SCRATCH, { recursive: true })
  const folder = await mkdtemp(`${SCRATCH}guide-`)
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const command = `#!/bin/sh\nexec '${process.execPath}' '${programOf(join(ROOT, 'cli/src/main.ts'))}' "$@"\n`
  await mkdir(join(folder, 'bin'))
  await writeFile(join(folder, 'bin/offstage'), command, { mode: 0o755 })

  const services = resources.use(
    createDevServices({
      jobs: jobs.map((name) => join(folder, name)),
      portBase: 0,
      dataDir: join(folder, 'data'),
      env: { OFFSTAGE_EXECUTOR_DRAIN_GRACE: '100ms', ...env },
    }),
  )
  await services.start()
  const { scheduler, storage } = services.addresses
  const places = { OFFSTAGE_SCHEDULER: scheduler, OFFSTAGE_STORAGE: storage }
  const path = `${join(folder, 'bin')}${delimiter}${process.env.PATH}`
  const execute = async (command: string, args: readonly string[], options: ShellOptions = {}) => {
    const { env, cwd = folder, timeoutMs: timeout = TIMEOUT_MS } = options
    const environment = { ...process.env, PATH: path, ...places, ...env }
    const program = promisify(execFile)(command, args, { cwd, timeout, env: environment })
    return (await program).stdout
  }
  const owned = resources.move()
  return {
    folder,
    places,
    run: (file) => execute(process.execPath, [file]),
    shell: (lines, options) => execute('bash', ['-euo', 'pipefail', '-c', lines], options),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The TypeScript of a page by the names that its blocks begin with; one without a name goes by `other`. */
export async function filesOf(page: string, other?: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const code of await blocksOf(page, 'ts')) {
    const [, name = other] = /^\/\/ (\S+\.ts)\n/.exec(code) ?? []
    if (name !== undefined) files[name] = code
  }
  return files
}
