import type { Command } from 'commander'
import { connect } from './client.ts'
import { showValue } from './show-completion.ts'

/** `offstage get`: prints what is known of a job. */
export function addGet(program: Command): void {
  program
    .command('get')
    .description('print what is known of a job, as JSON')
    .argument('<job>', 'its id')
    .action(async (jobId: string, _flags: object, command: Command) => {
      await using offstage = await connect(command)
      showValue(await offstage.job(jobId).refresh())
    })
}
