import type { PauseOptions } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { answered, connect } from './client.ts'

interface PoolFlag {
  readonly pool?: string
}

/** `offstage pause` and `offstage resume`: hold back queued jobs, and let them go on. */
export function addPause(program: Command): void {
  program
    .command('pause')
    .description(
      'hold back the queued jobs of a method, a pool, or the whole namespace; what runs goes on',
    )
    .argument('[method]', 'its name (default: all methods of the namespace)')
    .option('--pool <pool>', 'those of this pool; default is that of jobs that name none')
    .option('--cancel-running', 'cancel what runs, with a grace of 10 s')
    .action(
      async (method: string | undefined, flags: PauseOptions & PoolFlag, command: Command) => {
        const { pool, ...options } = flags
        refuseBoth(method, pool, command)
        await using offstage = await answered(connect(command))
        if (pool !== undefined) await answered(offstage.pausePool(pool, options))
        else if (method !== undefined) await answered(offstage.pauseMethod(method, options))
        else await answered(offstage.pauseNamespace(options))
        process.stdout.write('paused\n')
      },
    )
  program
    .command('resume')
    .description('let the jobs of a method, a pool, or the namespace, go on')
    .argument(
      '[method]',
      'its name (default: the namespace, whose paused methods and pools stay so)',
    )
    .option('--pool <pool>', 'those of this pool')
    .action(async (method: string | undefined, { pool }: PoolFlag, command: Command) => {
      refuseBoth(method, pool, command)
      await using offstage = await answered(connect(command))
      if (pool !== undefined) await answered(offstage.resumePool(pool))
      else if (method !== undefined) await answered(offstage.resumeMethod(method))
      else await answered(offstage.resumeNamespace())
      process.stdout.write('resumed\n')
    })
}

function refuseBoth(method: string | undefined, pool: string | undefined, command: Command): void {
  if (method === undefined || pool === undefined) return
  command.error('error: give a method or --pool, not both: a pool is paused with all its methods')
}
