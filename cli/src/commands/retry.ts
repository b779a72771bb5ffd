import type { Command } from 'commander'
import type { CommandContext } from '../run.ts'
import { parseMillis } from './arguments.ts'
import { answered, connect, connectOptions } from './client.ts'
import { showCompletion } from './show-completion.ts'

interface Flags {
  readonly wait?: boolean
  readonly timeout?: number
}

/** `offstage retry`: starts a failed or canceled job anew, under its id. */
export function addRetry(program: Command, { exitWith }: CommandContext): void {
  program
    .command('retry')
    .description('start a failed or canceled job anew, under its id')
    .argument('<job>', 'its id')
    .option('-w, --wait', 'wait for its next end and print the result')
    .option('--timeout <time>', 'longest --wait, such as 30s (default: no limit)', parseMillis)
    .action(async (jobId: string, flags: Flags, command: Command) => {
      if (flags.timeout !== undefined && !flags.wait) {
        command.error("error: option '--timeout <time>' limits a --wait, and there is none")
      }
      await using offstage = await answered(connect(command))
      const job = offstage.job(jobId)
      await answered(job.retry())
      if (flags.wait) {
        const terms = { timeoutMs: flags.timeout, connect: connectOptions(command) }
        exitWith(await showCompletion(offstage, job, terms))
      } else process.stdout.write(`${job.state}\n`)
    })
}
