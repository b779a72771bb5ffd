import type { PauseOptions } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { answered, connect } from './client.ts'

/** `offstage pause` and `offstage resume`: hold back queued jobs, and let them go on. */
export function addPause(program: Command): void {
  program
    .command('pause')
    .description(
      'hold back the queued jobs of a method, or of the whole namespace; what runs goes on',
    )
    .argument('[method]', 'its name (default: all methods of the namespace)')
    .option('--cancel-running', 'cancel what runs, with a grace of 10 s')
    .action(async (method: string | undefined, flags: PauseOptions, command: Command) => {
      await using offstage = await answered(connect(command))
      await answered(
        method === undefined ? offstage.pauseNamespace(flags) : offstage.pauseMethod(method, flags),
      )
      process.stdout.write('paused\n')
    })
  program
    .command('resume')
    .description('let the jobs of a method, or of the namespace, go on')
    .argument('[method]', 'its name (default: the namespace, whose paused methods stay paused)')
    .action(async (method: string | undefined, _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      await answered(
        method === undefined ? offstage.resumeNamespace() : offstage.resumeMethod(method),
      )
      process.stdout.write('resumed\n')
    })
}
