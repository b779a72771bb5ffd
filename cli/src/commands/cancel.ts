import type { Command } from 'commander'
import { parseMillis } from './arguments.ts'
import { answered, connect } from './client.ts'

interface Flags {
  readonly reason?: string
  readonly grace?: number
  readonly cascade?: boolean
}

const OUTCOMES = {
  'never-started': 'canceled before it started',
  stopped: 'stopped',
  'finished-anyway': 'finished before the cancel reached it',
} as const

/** `offstage cancel`: asks a job to end. */
export function addCancel(program: Command): void {
  program
    .command('cancel')
    .description('ask a job to end')
    .argument('<job>', 'its id')
    .option('--reason <text>', 'for the record and the handler')
    .option('--grace <time>', 'how long the handler may take (default: 10s)', parseMillis)
    .option('--cascade', 'cancel its unfinished children too')
    .action(async (jobId: string, { reason, grace, cascade }: Flags, command: Command) => {
      await using offstage = await answered(connect(command))
      const outcome = await answered(offstage.cancel(jobId, { reason, graceMs: grace, cascade }))
      process.stdout.write(`${outcome === undefined ? 'asked to stop' : OUTCOMES[outcome]}\n`)
    })
}
