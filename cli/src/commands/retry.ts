import type { Command } from 'commander'
import { parseMillis } from './arguments.ts'
import { answered, connect, connectOptions } from './client.ts'
import type { CommandContext } from './context.ts'
import { addBulkOptions, type BulkFlags, type BulkWork, meansMany, runInBulk } from './in-bulk.ts'
import { showCompletion } from './show-completion.ts'

interface Flags extends BulkFlags {
  readonly wait?: boolean
  readonly timeout?: number
  readonly requireVersion?: string
}

const retrying = (requiredVersion: string | undefined): BulkWork => ({
  verb: 'start anew',
  preview: (offstage, filter, all) =>
    offstage.retryJobs(filter, { all, requiredVersion, validateOnly: true }),
  start: (offstage, filter, all) => offstage.retryJobs(filter, { all, requiredVersion }),
})

/** `offstage retry`: starts a failed or canceled job anew, under its id, or all that a filter selects. */
export function addRetry(program: Command, { exitWith }: CommandContext): void {
  const retry = program
    .command('retry')
    .description('start a failed or canceled job anew, under its id, or all that a filter selects')
    .argument('[job]', 'its id')
    .option('-w, --wait', 'wait for its next end and print the result')
    .option('--timeout <time>', 'longest --wait, such as 30s (default: no limit)', parseMillis)
    .option(
      '--require-version <version>',
      "of its method that it requires from now on, '' for none (default: the one of before)",
    )
  addBulkOptions(retry).action(async (id: string | undefined, flags: Flags, command: Command) => {
    if (flags.timeout !== undefined && !flags.wait) {
      command.error("error: option '--timeout <time>' limits a --wait, and there is none")
    }
    if (meansMany(id, flags, command) || id === undefined) {
      if (flags.wait) command.error('error: --wait goes with one job')
      return exitWith(await runInBulk(retrying(flags.requireVersion), flags, command))
    }
    await using offstage = await answered(connect(command))
    const job = offstage.job(id)
    await answered(job.retry({ requiredVersion: flags.requireVersion }))
    if (flags.wait) {
      const terms = { timeoutMs: flags.timeout, connect: connectOptions(command) }
      exitWith(await showCompletion(offstage, job, terms))
    } else process.stdout.write(`${job.state}\n`)
  })
}
