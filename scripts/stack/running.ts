import { execFileSync } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@offstage/testkit'
import { type ProcessSpec, stackFolder } from './processes.ts'

const STOP_TIMEOUT_MS = 30_000

export const pidPath = (name: string) => join(stackFolder, `${name}.pid`)
export const logPath = (name: string) => join(stackFolder, `${name}.log`)
/** What the process was told when it was started: its `env`, as JSON. */
export const envPath = (name: string) => join(stackFolder, `${name}.json`)

/** The pid of the process, if it runs. A pid that now belongs to another program does not count. */
export async function runningPid({ name, main }: ProcessSpec): Promise<number | undefined> {
  const text = await readFile(pidPath(name), 'utf8').catch(() => '')
  const pid = Number(text)
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  return (await commandOf(pid)).includes(main) ? pid : undefined
}

/** Whether what it was told when it was started is what it would be told now. */
export async function isAsStarted({ name, env }: ProcessSpec): Promise<boolean> {
  const text = await readFile(envPath(name), 'utf8').catch(() => '')
  return text === JSON.stringify(env)
}

/** Asks the process to stop and waits for its end; kills it when that takes too long. */
export async function stopProcess(spec: ProcessSpec): Promise<void> {
  const pid = await runningPid(spec)
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM')
    const ended = async () => (await runningPid(spec)) === undefined
    await until(ended, { timeoutMs: STOP_TIMEOUT_MS, what: `${spec.name} has stopped` }).catch(
      (error: unknown) => {
        process.kill(pid, 'SIGKILL')
        console.error(`${error instanceof Error ? error.message : error}; it was killed`)
      },
    )
    console.log(`${spec.name} stopped`)
  }
  for (const path of [pidPath(spec.name), envPath(spec.name)]) await rm(path, { force: true })
}

/** The command line of a process; empty when there is none. A process that has ended unreaped has none either. */
async function commandOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  }
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}
