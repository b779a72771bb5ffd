/**
 * A child process with a ready line: started, watched, stopped. Servers and Node programs under
 * test are all run through here.
 *
 * Invariants:
 *  1. `startChild` resolves only after the ready line, and rejects with all captured output
 *     otherwise; then the child is dead.
 *  2. A child never outlives this process, not even when this process is killed with SIGKILL: a
 *     sentry (a small shell holding the read end of a pipe from us) sees the pipe close and ends it.
 *  3. A child leads a process group of its own, so Ctrl-C in a terminal reaches only us, and we
 *     stop the children in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** The unix user a child runs as. */
export interface RunAs {
  readonly uid: number
  readonly gid: number
}

export interface ChildSpec {
  /** Names the child in errors. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly runAs?: RunAs
  /** Matched against each line of stdout and stderr. */
  readonly ready: RegExp
  /** Default 30 000. */
  readonly readyTimeoutMs?: number
  /** What the sentry sends when this process is gone. Default TERM. */
  readonly orphanSignal?: 'TERM' | 'QUIT' | 'KILL'
  /** A folder the sentry removes after the orphan has ended. */
  readonly orphanFolder?: string
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Child {
  readonly pid: number
  /** The match of the ready line. */
  readonly ready: RegExpExecArray
  /** Everything written so far, the newest MiB of it. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves when the process has ended and its output is closed. Never rejects. */
  readonly exited: Promise<Exit>
  readonly running: boolean
  /** Sends a signal; nothing happens when the process has ended. */
  signal(signal: NodeJS.Signals): void
}

const CAPTURE_CHARS_MAX = 1024 * 1024

/** Starts a child and waits for its ready line. */
export async function startChild(spec: ChildSpec): Promise<Child> {
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...spec.runAs,
  })
  const captured = { stdout: '', stderr: '' }
  const exited = exitOf(child)
  const ready = readyLine(child, spec, captured)
  const sentry = child.pid === undefined ? undefined : startSentry(child.pid, spec)
  void exited.then(() => sentry?.kill('SIGKILL'))
  try {
    const match = await ready
    return {
      pid: child.pid ?? 0,
      ready: match,
      get stdout() {
        return captured.stdout
      },
      get stderr() {
        return captured.stderr
      },
      exited,
      get running() {
        return child.exitCode === null && child.signalCode === null
      },
      signal: (signal) => void child.kill(signal),
    }
  } catch (error) {
    child.kill('SIGKILL')
    if (child.pid !== undefined) await exited
    throw error
  }
}

/** Ends a child: the signal first, SIGKILL when that was not enough. Rejects when it had to be killed. */
export async function stopChild(
  child: Child,
  name: string,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<Exit> {
  child.signal(signal)
  const grace = AbortSignal.timeout(graceMs)
  const exit = await Promise.race([child.exited, once(grace, 'abort').then(() => undefined)])
  if (exit !== undefined) return exit
  child.signal('SIGKILL')
  await child.exited
  throw new Error(
    `${name} did not end within ${graceMs} ms of ${signal} and was killed${output(child)}`,
  )
}

/** Captured output as the tail of an error message. */
export function output(captured: { stdout: string; stderr: string }): string {
  const tail = (label: string, text: string) =>
    text.trim() === '' ? '' : `\n--- ${label}\n${text.trimEnd().slice(-8_000)}`
  return tail('stdout', captured.stdout) + tail('stderr', captured.stderr)
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
    child.once('error', () => {
      if (child.pid === undefined) resolve({ code: null, signal: null })
    })
  })
}

function readyLine(
  child: ChildProcess,
  spec: ChildSpec,
  captured: { stdout: string; stderr: string },
): Promise<RegExpExecArray> {
  const { name, readyTimeoutMs = 30_000 } = spec
  const line = Promise.withResolvers<RegExpExecArray>()
  const fail = (what: string, cause?: unknown) =>
    line.reject(new Error(`${name} ${what}${output(captured)}`, { cause }))
  const timer = setTimeout(
    () => fail(`wrote no line like ${spec.ready} within ${readyTimeoutMs} ms`),
    readyTimeoutMs,
  )
  for (const stream of ['stdout', 'stderr'] as const) {
    let rest = ''
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      captured[stream] = (captured[stream] + text).slice(-CAPTURE_CHARS_MAX)
      const lines = (rest + text).split('\n')
      rest = (lines.pop() ?? '').slice(-CAPTURE_CHARS_MAX)
      for (const each of lines) {
        const match = spec.ready.exec(each)
        if (match) line.resolve(match)
      }
    })
  }
  child.once('error', (cause) => fail(`could not be started: ${cause.message}`, cause))
  child.once('close', (code, signal) =>
    fail(`ended (${signal ?? `exit code ${code}`}) before it was ready`),
  )
  return line.promise.finally(() => clearTimeout(timer))
}

// $1 pid, $2 signal, $3 folder or nothing. `read` returns when our end of the pipe is closed.
const SENTRY = `
trap '' INT TERM HUP
read -r _
kill -"$2" "$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 1; done
kill -KILL "$1" 2>/dev/null
[ -z "$3" ] || rm -rf -- "$3"
`

function startSentry(pid: number, spec: ChildSpec): ChildProcess {
  const { orphanSignal = 'TERM', orphanFolder = '' } = spec
  const args = ['-c', SENTRY, 'offstage-sentry', String(pid), orphanSignal, orphanFolder]
  const sentry = spawn('/bin/sh', args, {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...spec.runAs,
  })
  sentry.once('error', () => {
    // Without a shell there is no sentry; the child itself runs all the same.
  })
  sentry.stdin?.on('error', () => {
    // The sentry was ended first: nothing is ever written to it.
  })
  sentry.unref()
  unrefStream(sentry.stdin)
  return sentry
}

function unrefStream(stream: Writable | null): void {
  if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
}
