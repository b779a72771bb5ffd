import type { Command } from 'commander'
import type { CommandContext } from '../run.ts'
import { parseJson } from './arguments.ts'
import { answered, connect, tell } from './client.ts'
import { showCompletion } from './show-completion.ts'

interface Flags {
  readonly wait?: boolean
  readonly key?: string
  readonly name?: string
}

/** `offstage start`: starts a job and prints its id, or with --wait its result. */
export function addStart(program: Command, { exitWith }: CommandContext): void {
  program
    .command('start')
    .description('start a job and print its id')
    .argument('<method>', 'such as reports.delays')
    .argument('[params]', 'parameters as JSON', parseJson)
    .option('-w, --wait', 'wait for the end and print the result; the id goes to standard error')
    .option('--key <key>', 'refused while an unfinished job of the method has the key')
    .option('--name <name>', 'a name for people')
    .action(async (method: string, params: unknown, flags: Flags, command: Command) => {
      await using offstage = await answered(connect(command))
      const options = { key: flags.key, displayName: flags.name }
      const job = await answered(offstage.startJob(method, params, options))
      if (flags.wait) {
        tell(`job ${job.id}`)
        exitWith(await showCompletion(offstage, job))
      } else process.stdout.write(`${job.id}\n`)
    })
}
