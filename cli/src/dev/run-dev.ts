import { relative } from 'node:path'
import { createService, runMain } from '@offstage/kit/lifecycle'
import type { DevFlags } from './dev-config.ts'
import { createDevServices, type DevServices } from './dev-services.ts'

/** Runs the services until SIGINT or SIGTERM, and ends the process. */
export function runDev(flags: DevFlags): Promise<void> {
  return runMain('offstage dev', async () => {
    const services = createDevServices({ ...flags, pretty: process.stdout.isTTY })
    return createService({
      name: 'offstage dev',
      async start() {
        await services.start()
        process.stdout.write(announcement(services, flags))
      },
      stop: services.stop,
    })
  })
}

/** The last line is for programs that wait for it. */
function announcement({ addresses, methods }: DevServices, flags: DevFlags): string {
  const { scheduler, storage, executor } = addresses
  const from = flags.jobs.length > 0 ? flags.jobs.join(', ') : 'OFFSTAGE_JOBS'
  const runs =
    executor === undefined
      ? 'none, since no --jobs were named: jobs wait for an executor of your own'
      : `${executor}  (${methods.join(', ')} from ${from})`
  return [
    'Offstage for development: PGlite runs without fsync, so a crash of this machine can lose jobs.',
    `  scheduler  ${scheduler}  (OFFSTAGE_SCHEDULER)`,
    `  storage    ${storage}  (OFFSTAGE_STORAGE)`,
    `  executor   ${runs}`,
    `  data       ${relative(process.cwd(), flags.dataDir) || '.'}`,
    `offstage dev is ready: scheduler=${scheduler} storage=${storage}`,
    '',
  ].join('\n')
}
