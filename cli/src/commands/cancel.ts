import type { Command } from 'commander'
import { parseMillis } from './arguments.ts'
import { answered, connect } from './client.ts'
import type { CommandContext } from './context.ts'
import { addBulkOptions, type BulkFlags, type BulkWork, meansMany, runInBulk } from './in-bulk.ts'

interface Flags extends BulkFlags {
  readonly reason?: string
  readonly grace?: number
  readonly cascade?: boolean
}

const OUTCOMES = {
  'never-started': 'canceled before it started',
  stopped: 'stopped',
  'finished-anyway': 'finished before the cancel reached it',
} as const

/** `offstage cancel`: asks a job to end, or all that a filter selects. */
export function addCancel(program: Command, { exitWith }: CommandContext): void {
  const cancel = program
    .command('cancel')
    .description('ask a job to end, or all that a filter selects')
    .argument('[job]', 'its id')
    .option('--reason <text>', 'for the record and the handler')
    .option('--grace <time>', 'how long the handler may take (default: 10s)', parseMillis)
    .option('--cascade', 'cancel its unfinished children too; of one job')
  addBulkOptions(cancel).action(async (id: string | undefined, flags: Flags, command: Command) => {
    const { reason, grace: graceMs, cascade } = flags
    if (meansMany(id, flags, command) || id === undefined) {
      if (cascade) command.error('error: --cascade goes with one job')
      return exitWith(await runInBulk(cancelingWith({ reason, graceMs }), flags, command))
    }
    await using offstage = await answered(connect(command))
    const outcome = await answered(offstage.cancel(id, { reason, graceMs, cascade }))
    process.stdout.write(`${outcome === undefined ? 'asked to stop' : OUTCOMES[outcome]}\n`)
  })
}

function cancelingWith(terms: { readonly reason?: string; readonly graceMs?: number }): BulkWork {
  return {
    verb: 'cancel',
    preview: (offstage, filter, all) => offstage.cancelJobs(filter, { all, validateOnly: true }),
    start: (offstage, filter, all) => offstage.cancelJobs(filter, { ...terms, all }),
  }
}
