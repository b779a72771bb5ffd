import type { Command } from 'commander'
import { parseMillis } from './arguments.ts'
import { answered, connect, connectOptions } from './client.ts'
import type { CommandContext } from './context.ts'
import { showCompletion } from './show-completion.ts'

interface Flags {
  readonly timeout?: number
}

/** `offstage wait`: waits for a job and prints its result. */
export function addWait(program: Command, { exitWith }: CommandContext): void {
  program
    .command('wait')
    .description('wait for a job and print its result')
    .argument('<job>', 'its id')
    .option('--timeout <time>', 'longest wait, such as 30s (default: no limit)', parseMillis)
    .action(async (jobId: string, { timeout }: Flags, command: Command) => {
      await using offstage = await answered(connect(command))
      const options = { timeoutMs: timeout, connect: connectOptions(command) }
      exitWith(await showCompletion(offstage, offstage.job(jobId), options))
    })
}
