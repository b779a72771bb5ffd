/** An empty project of a user, into which packages are installed as from the registry: no symlink leads to the checkout. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface UserProject extends AsyncDisposable {
  readonly folder: string
  /** Runs npm install; no install script runs. */
  install(packages: readonly string[], flags?: readonly string[]): Promise<void>
  /** What came, by its path below the project, as the lock file has it. */
  installed(): Promise<Record<string, { readonly hasInstallScript?: boolean }>>
  /** Runs a file of the project, or of a package in it; rejects when it fails. */
  run(
    node: string,
    file: string,
    args?: readonly string[],
    settings?: Readonly<Record<string, string>>,
  ): Promise<string>
  write(file: string, text: string): Promise<void>
}

export async function createUserProject(): Promise<UserProject> {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-user-'))
  const sources = fileURLToPath(new URL('./project', import.meta.url))
  await cp(sources, folder, { recursive: true })
  const write = (file: string, text: string) => writeFile(join(folder, file), text)
  await write('package.json', JSON.stringify({ private: true, type: 'module' }))
  const started = (command: string, args: readonly string[], settings = {}) =>
    promisify(execFile)(command, args, {
      cwd: folder,
      env: { ...env(), ...settings },
      timeout: 180_000,
    }).then(
      ({ stdout }) => stdout,
      (fault) => Promise.reject(new Error(`${fault.message}\n${fault.stdout}`, { cause: fault })),
    )
  return {
    folder,
    write,
    async install(packages, flags = []) {
      const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
      await started('npm', ['install', ...quiet, ...flags, ...packages])
    },
    async installed() {
      return JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')).packages
    },
    run: (node, file, args = [], settings = {}) =>
      started(node, [join(folder, file), ...args], settings),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** As in a shell of the user: nothing of this test run's. */
function env(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  const npm = Object.entries(process.env).filter(([name]) => /^npm_config_|proxy|_CA/i.test(name))
  return { ...Object.fromEntries(npm), PATH, HOME, NO_COLOR: '1' }
}
