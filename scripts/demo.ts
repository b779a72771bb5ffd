/**
 * `make demo`: the flight report, on the services that OFFSTAGE_SCHEDULER names, or else on an `offstage dev` of its
 * own, on free ports and a temporary folder, that ends with it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnProcess } from '@offstage/testkit'

const pathOf = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

// Ctrl-C reaches the report as well: it cancels its job and ends, and then this ends as always.
process.on('SIGINT', () => {})
process.exitCode = await demo()

async function demo(): Promise<number> {
  const scheduler = process.env.OFFSTAGE_SCHEDULER
  if (scheduler) {
    console.log(`services: those of OFFSTAGE_SCHEDULER, ${scheduler}`)
    return report({})
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-demo-'))
  try {
    const jobs = pathOf('examples/flight-report/src/jobs.ts')
    await using services = await spawnProcess({
      main: pathOf('cli/src/main.ts'),
      args: ['dev', '--port-base', '0', '--data-dir', dataDir, '--jobs', jobs],
      ready: /is ready: scheduler=(\S+) storage=(\S+)/,
    })
    const [, OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE] = services.ready
    console.log(`services: offstage dev, scheduler ${OFFSTAGE_SCHEDULER}`)
    const code = await report({ OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE })
    if (code !== 0) console.error(services.stdout + services.stderr)
    return code
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function report(env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, [pathOf('examples/flight-report/src/main.ts')], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  const [code] = await once(child, 'exit')
  return typeof code === 'number' ? code : 1
}
