import type { Command } from 'commander'
import { answered, connect, connectOptions } from './client.ts'
import { recordFrom } from './job-record.ts'
import { readJob, readMessages } from './job-records.ts'
import { showValue } from './show-completion.ts'

/** `offstage get`: prints what is known of a job. */
export function addGet(program: Command): void {
  program
    .command('get')
    .description('print all that is known of a job, its messages too, as JSON')
    .argument('<job>', 'its id')
    .action(async (jobId: string, _flags: object, command: Command) => {
      await using _reachable = await answered(connect(command))
      const options = connectOptions(command)
      const record = recordFrom(await answered(readJob(options, jobId)))
      showValue({ ...record, messages: await answered(readMessages(options, jobId)) })
    })
}
