import { fileURLToPath } from 'node:url'
import { type Child, type Exit, startChild, stopChild } from './child.ts'
import { programOf } from './program-of.ts'

export interface SpawnProcessOptions {
  /** The file to run. */
  readonly main: string | URL
  /** The Node to run it on. Default: the one we run on. */
  readonly node?: string
  readonly args?: readonly string[]
  /** Added to our own environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Matched against each line of output; the process counts as started at the first match. */
  readonly ready: RegExp
  /** Default 30 000. */
  readonly readyTimeoutMs?: number
  /** How long the process may take to end after SIGTERM when disposed of. Default 15 000. */
  readonly stopTimeoutMs?: number
}

export interface SpawnedProcess extends AsyncDisposable {
  readonly pid: number
  /** The match of the ready line, so that an address can be taken from it. */
  readonly ready: RegExpExecArray
  readonly stdout: string
  readonly stderr: string
  readonly exited: Promise<Exit>
  /** Sends a signal and waits for the end. Default SIGTERM. */
  kill(signal?: NodeJS.Signals): Promise<Exit>
  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void
}

/**
 * Runs a program on the Node we run on, and waits for its ready line; rejects with the captured
 * output when it ends or times out first. Disposing of it sends SIGTERM and fails the test when the
 * process has to be killed.
 */
export async function spawnProcess(options: SpawnProcessOptions): Promise<SpawnedProcess> {
  const { args = [], env, cwd, ready, readyTimeoutMs, stopTimeoutMs = 15_000 } = options
  const main = options.main instanceof URL ? fileURLToPath(options.main) : options.main
  const child: Child = await startChild({
    name: main,
    command: options.node ?? process.execPath,
    args: [programOf(main), ...args],
    env: { ...withoutTestRunner(process.env), ...env },
    cwd,
    ready,
    readyTimeoutMs,
  })
  return {
    pid: child.pid,
    ready: child.ready,
    get stdout() {
      return child.stdout
    },
    get stderr() {
      return child.stderr
    },
    exited: child.exited,
    kill: (signal = 'SIGTERM') => stopChild(child, main, signal, stopTimeoutMs),
    signal: (signal) => child.signal(signal),
    [Symbol.asyncDispose]: async () => {
      if (child.running) await stopChild(child, main, 'SIGTERM', stopTimeoutMs)
    },
  }
}

/** A program must not see that a test runner started it. */
function withoutTestRunner(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = (name: string) => /^VITEST|^(NODE_OPTIONS|NODE_ENV|TEST|DEV|PROD|MODE)$/.test(name)
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own(name)))
}
