import type { Offstage } from '@offstage/sdk'
import type { Command } from 'commander'
import { answered, connect } from './client.ts'
import type { CommandContext } from './context.ts'
import { addBulkOptions, type BulkFlags, type BulkWork, meansMany, runInBulk } from './in-bulk.ts'

const DELETING: BulkWork = {
  verb: 'delete',
  preview: (offstage, filter, all) => offstage.deleteJobs(filter, { all, validateOnly: true }),
  start: (offstage, filter, all) => offstage.deleteJobs(filter, { all }),
}

/** `offstage delete`, `pin` and `unpin`: what becomes of jobs in the history. */
export function addKeep(program: Command, { exitWith }: CommandContext): void {
  const add = (
    name: string,
    description: string,
    done: string,
    work: (offstage: Offstage, jobId: string) => Promise<void>,
  ) =>
    program
      .command(name)
      .description(description)
      .argument('<job>', 'its id')
      .action(async (jobId: string, _flags: object, command: Command) => {
        await using offstage = await answered(connect(command))
        await answered(work(offstage, jobId))
        process.stdout.write(`${done}\n`)
      })
  const remove = program
    .command('delete')
    .description('remove a finished job and all that is its own, or all that a filter selects')
    .argument('[job]', 'its id')
  addBulkOptions(remove).action(
    async (id: string | undefined, flags: BulkFlags, command: Command) => {
      if (meansMany(id, flags, command) || id === undefined) {
        return exitWith(await runInBulk(DELETING, flags, command))
      }
      await using offstage = await answered(connect(command))
      await answered(offstage.deleteJob(id))
      process.stdout.write('deleted\n')
    },
  )
  add('pin', 'keep a job whatever the retention', 'pinned', (offstage, id) => offstage.pinJob(id))
  add('unpin', 'leave a job to the retention again', 'unpinned', (offstage, id) =>
    offstage.unpinJob(id),
  )
}
