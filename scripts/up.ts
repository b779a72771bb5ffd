/**
 * `make up`: the three services as processes of their own, with a real PostgreSQL and nats-server. What runs already is
 * left alone, unless it was started with other jobs or on other ports: then it is started anew. Ends when all are
 * ready; the processes stay until `make down`.
 */
import { spawn } from 'node:child_process'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@offstage/testkit'
import { describeStack, type ProcessSpec, stackFolder } from './stack/processes.ts'
import { isReady, takesConnections } from './stack/readiness.ts'
import { envPath, isAsStarted, logPath, pidPath, runningPid, stopProcess } from './stack/running.ts'

const READY_TIMEOUT_MS = 60_000
const LOG_TAIL_LINES = 20

const portBase = Number(process.env.OFFSTAGE_UP_PORT_BASE || 7701)
const jobs = process.env.OFFSTAGE_JOBS || 'examples/flight-report/src/jobs.ts'
const { processes, scheduler, storage } = await describeStack(portBase, jobs)

await mkdir(stackFolder, { recursive: true })
try {
  for (const spec of processes.toReversed()) if (!(await isAsStarted(spec))) await stopProcess(spec)
  for (const spec of processes) await ensureReady(spec)
  const lines = [`export OFFSTAGE_SCHEDULER=${scheduler}`, `export OFFSTAGE_STORAGE=${storage}`, '']
  await writeFile(join(stackFolder, 'env'), lines.join('\n'))
  const modules = processes.find(({ name }) => name === 'executor')?.env.OFFSTAGE_JOBS
  console.log(`\nOffstage is up, logs in ${stackFolder}`)
  console.log('  . .offstage/up/env    # OFFSTAGE_SCHEDULER and OFFSTAGE_STORAGE for clients')
  console.log(`  jobs: ${modules}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error('what did start is still up: make up tries again, make down ends it')
  process.exitCode = 1
}

async function ensureReady(spec: ProcessSpec): Promise<void> {
  const word = (await isRunning(spec)) ? 'was running' : 'started'
  if (word === 'started') {
    await start(spec)
    const ready = await readyOrEnded(spec)
    if (ready === 'ended') throw new Error(`${spec.name} could not start:\n${await endOfLog(spec)}`)
  }
  console.log(`${spec.name.padEnd(10)} 127.0.0.1:${spec.ready.port}  ${word}`)
}

/** Whether it runs and is ready; one that is about to end, as after the death of its server, is not. */
async function isRunning(spec: ProcessSpec): Promise<boolean> {
  return (await runningPid(spec)) !== undefined && (await readyOrEnded(spec)) === 'ready'
}

async function start(spec: ProcessSpec): Promise<void> {
  const { name, main, env, ready } = spec
  if (await takesConnections(ready.port)) {
    throw new Error(
      `${name}: another program listens on port ${ready.port}; end it, or set OFFSTAGE_UP_PORT_BASE`,
    )
  }
  const log = await open(logPath(name), 'w')
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...env },
  })
  child.unref()
  await log.close()
  await writeFile(envPath(name), JSON.stringify(env))
  await writeFile(pidPath(name), `${child.pid}\n`)
}

async function readyOrEnded(spec: ProcessSpec): Promise<'ready' | 'ended'> {
  let found: 'ready' | 'ended' | undefined
  const look = async () => {
    if (await isReady(spec)) found = 'ready'
    else if ((await runningPid(spec)) === undefined) found = 'ended'
    return found !== undefined
  }
  const what = `${spec.name} is ready; its log is ${logPath(spec.name)}`
  await until(look, { timeoutMs: READY_TIMEOUT_MS, what })
  return found ?? 'ended'
}

async function endOfLog({ name }: ProcessSpec): Promise<string> {
  const log = await readFile(logPath(name), 'utf8').catch(() => '')
  return log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
}
