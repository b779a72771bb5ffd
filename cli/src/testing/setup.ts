import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programOf, type SpawnedProcess, spawnProcess } from '@offstage/testkit'
import { vi } from 'vitest'
import { run } from '../run.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const jobs = fileURLToPath(new URL('jobs.ts', import.meta.url))

/** What a command line did. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Standard output as it came. */
  readonly bytes: Buffer
}

/**
 * Runs one command line of `offstage` to its end, in a process of its own as in a shell, with `input` on its standard input.
 * Its environment has no variable of ours but those given.
 */
export function offstageProcess(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = '',
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [programOf(main), ...args],
      { env: { ...process.env, ...noVariables(), ...env }, encoding: 'buffer' },
      (error, bytes, stderr) =>
        resolve({
          code: Number(error?.code ?? 0),
          stdout: bytes.toString(),
          stderr: stderr.toString(),
          bytes,
        }),
    )
    child.stdin?.end(input)
  })
}

/**
 * Does the same in this process, for what shows in the code and the text alone: a process takes a hundred times as long. One
 * after the other, as the environment and the streams are those of this process meanwhile.
 */
export async function offstage(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const own = { ...process.env }
  const stdout = takeOver(process.stdout)
  const stderr = takeOver(process.stderr)
  try {
    setVariables({ ...noVariables(), ...env })
    const code = await run(args)
    const bytes = stdout.bytes()
    return { code, stdout: bytes.toString(), stderr: stderr.bytes().toString(), bytes }
  } finally {
    stdout.giveBack()
    stderr.giveBack()
    setVariables({ ...noVariables(), ...own })
  }
}

function takeOver(stream: NodeJS.WriteStream) {
  const written: Buffer[] = []
  const write = vi.spyOn(stream, 'write').mockImplementation((chunk) => {
    written.push(Buffer.from(chunk))
    return true
  })
  return { bytes: () => Buffer.concat(written), giveBack: () => write.mockRestore() }
}

function setVariables(variables: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

export interface Setup extends AsyncDisposable {
  /** A folder of this test alone. */
  readonly folder: string
  /** The newest `offstage dev`. */
  readonly dev: SpawnedProcess
  /** Starts another one on the same data. */
  restart(): Promise<void>
  /** Where it is, for a command. */
  readonly places: NodeJS.ProcessEnv
  /** Runs a command against it, in this process. */
  offstage(...args: readonly string[]): Promise<Outcome>
  /** Runs a command against it until it writes a line like `ready`, and on. */
  spawn(args: readonly string[], ready: RegExp): Promise<SpawnedProcess>
}

/** An `offstage dev` with the test jobs, or others, on free ports and data of its own; `env` is for it alone. */
export async function setup(env: NodeJS.ProcessEnv = {}, jobsPath = jobs): Promise<Setup> {
  const resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'offstage-cli-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const start = async () =>
    resources.use(
      await spawnProcess({
        main,
        args: ['dev', '--jobs', jobsPath, '--port-base', '0', '--data-dir', join(folder, 'data')],
        // A killed executor's jobs are taken from it soon.
        env: { ...noVariables(), OFFSTAGE_SCHEDULER_SESSION_LEASE: '1s', ...env },
        ready: /is ready: scheduler=(\S+) storage=(\S+)/,
      }),
    )
  let dev = await start().catch(async (error) => {
    await resources.disposeAsync()
    throw error
  })
  const places = () => {
    const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = dev.ready
    return { OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE }
  }
  return {
    folder,
    get dev() {
      return dev
    },
    get places() {
      return places()
    },
    async restart() {
      dev = await start()
    },
    offstage: (...args) => offstage(args, places()),
    async spawn(args, ready) {
      const env = { ...noVariables(), ...places() }
      return resources.use(await spawnProcess({ main, args: [...args], env, ready }))
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** What a developer has set must not reach the tests. */
function noVariables(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => name.startsWith('OFFSTAGE_'))
  return Object.fromEntries(names.map((name) => [name, undefined]))
}
