import type { Offstage } from '@offstage/sdk'
import type { Command } from 'commander'
import { answered, connect } from './client.ts'

/** `offstage delete`, `pin` and `unpin`: what becomes of a job in the history. */
export function addKeep(program: Command): void {
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
  add('delete', 'remove a finished job and all that is its own', 'deleted', (offstage, id) =>
    offstage.deleteJob(id),
  )
  add('pin', 'keep a job whatever the retention', 'pinned', (offstage, id) => offstage.pinJob(id))
  add('unpin', 'leave a job to the retention again', 'unpinned', (offstage, id) =>
    offstage.unpinJob(id),
  )
}
