import type { Command } from 'commander'
import { answered, connect, connectOptions } from './client.ts'
import { readJob } from './job-records.ts'
import { showValue } from './show-completion.ts'

/** `offstage get`: prints what is known of a job. */
export function addGet(program: Command): void {
  program
    .command('get')
    .description('print all that is known of a job, as JSON')
    .argument('<job>', 'its id')
    .action(async (jobId: string, _flags: object, command: Command) => {
      await using _reachable = await answered(connect(command))
      showValue(await answered(readJob(connectOptions(command), jobId)))
    })
}
