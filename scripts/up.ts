/**
 * `make up`: the three services as processes of their own, with a real PostgreSQL and nats-server. What runs already is
 * left alone. Ends when all are ready; the processes stay until `make down`.
 */
import { spawn } from 'node:child_process'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { until } from '@offstage/kit/testkit'
import { describeStack, type ProcessSpec, stackFolder } from './stack/processes.ts'
import { isReady, takesConnections } from './stack/readiness.ts'
import { logPath, pidPath, runningPid } from './stack/running.ts'

const READY_TIMEOUT_MS = 60_000
const LOG_TAIL_LINES = 20

const portBase = Number(process.env.OFFSTAGE_UP_PORT_BASE || 7701)
const jobs = process.env.OFFSTAGE_JOBS || 'examples/flight-report/src/jobs.ts'
const { processes, scheduler, storage } = await describeStack(portBase, jobs)

await mkdir(stackFolder, { recursive: true })
try {
  for (const spec of processes) await ensureRunning(spec)
  const lines = [`export OFFSTAGE_SCHEDULER=${scheduler}`, `export OFFSTAGE_STORAGE=${storage}`, '']
  await writeFile(join(stackFolder, 'env'), lines.join('\n'))
  console.log(`\nOffstage is up: jobs of ${resolve(jobs)}, logs in ${stackFolder}`)
  console.log(`  OFFSTAGE_SCHEDULER=${scheduler} OFFSTAGE_STORAGE=${storage} make demo`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error('what did start is still up: make up tries again, make down ends it')
  process.exitCode = 1
}

async function ensureRunning(spec: ProcessSpec): Promise<void> {
  const known = await runningPid(spec)
  if (known === undefined) await start(spec)
  await until(() => readyOrEnded(spec), {
    timeoutMs: READY_TIMEOUT_MS,
    what: `${spec.name} is ready; its log is ${logPath(spec.name)}`,
  })
  const word = known === undefined ? 'started' : 'was running'
  console.log(`${spec.name.padEnd(10)} 127.0.0.1:${spec.ready.port}  ${word}`)
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
  await writeFile(pidPath(name), `${child.pid}\n`)
}

/** True once it is ready; throws with the end of its log when it has ended. */
async function readyOrEnded(spec: ProcessSpec): Promise<boolean> {
  if (await isReady(spec)) return true
  if ((await runningPid(spec)) !== undefined) return false
  const log = await readFile(logPath(spec.name), 'utf8').catch(() => '')
  const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
  throw new Error(`${spec.name} could not start:\n${tail}`)
}
