/** The executor under test, as whatever command runs it. */
import { spawn } from 'node:child_process'
import { Broken } from './verdict.ts'

export interface ExecutorProcess extends AsyncDisposable {
  /** The end of what it has written, for who reads the report. */
  readonly output: string
  readonly isRunning: boolean
  /** As an operator stops it: SIGTERM. */
  leave(): void
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

const OUTPUT_CHARACTERS_MAX = 16_000

/** In a process group of its own, so that what a shell starts is ended as well. */
export function startExecutorProcess(
  command: string,
  env: Readonly<Record<string, string>>,
): ExecutorProcess {
  const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX)
    })
  }
  const exited: ExecutorProcess['exited'] = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
    child.on('error', () => resolve({ code: null, signal: null }))
  })
  const signalAll = (signal: NodeJS.Signals) => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, signal)
    } catch {
      // All of them have ended.
    }
  }
  const isRunning = () => child.exitCode === null && child.signalCode === null
  // Ours may be ended at any time, by whoever reads the report.
  const onExit = () => signalAll('SIGKILL')
  process.once('exit', onExit)
  return {
    get output() {
      return output
    },
    get isRunning() {
      return isRunning()
    },
    exited,
    leave() {
      if (!isRunning()) throw new Broken('the process has ended by itself')
      child.kill('SIGTERM')
    },
    async [Symbol.asyncDispose]() {
      signalAll('SIGKILL')
      await exited
      process.off('exit', onExit)
    },
  }
}
