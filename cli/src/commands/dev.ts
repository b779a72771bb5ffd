import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'

interface Flags {
  readonly jobs: readonly string[]
  readonly portBase: number
  readonly dataDir: string
}

const PORT_BASE_MAX = 65_533

/** `offstage dev`: the three services in this process until it is told to stop. */
export function addDev(program: Command): void {
  program
    .command('dev')
    .description(
      'run scheduler, storage and executor in this process, for development; PGlite runs without fsync',
    )
    .option('--jobs <path...>', 'modules or folders with job definitions (default: OFFSTAGE_JOBS)')
    .option(
      '--port-base <port>',
      'scheduler, storage and executor take this port and the next two; 0: free ones',
      parsePortBase,
      7701,
    )
    .option('--data-dir <folder>', 'where everything is kept', '.offstage/dev')
    // Those of the whole program say where to call, and this is what is called.
    .configureHelp({ showGlobalOptions: false })
    .action(async ({ jobs = [], portBase, dataDir }: Flags) => {
      // The services take a while to load, and the other commands have no use for them.
      const { runDev } = await import('../dev/run-dev.ts')
      await runDev({ jobs, portBase, dataDir: resolve(dataDir) })
    })
}

function parsePortBase(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= PORT_BASE_MAX) return port
  throw new InvalidArgumentError(`It must be a port from 0 to ${PORT_BASE_MAX}.`)
}
