import type { ExecutorInfo } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { allOf, answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

/** `offstage executors`: what is attached, and how busy it is. */
export function addExecutors(program: Command): void {
  program
    .command('executors')
    .description('list the executors that are attached, with their slots and methods')
    .option('--json', 'all that is known of each')
    .action(async ({ json }: { readonly json?: boolean }, command: Command) => {
      await using offstage = await answered(connect(command))
      const executors = await answered(allOf(offstage.listExecutors()))
      if (json) showValue(executors)
      else if (executors.length > 0) process.stdout.write(tableOf(executors))
      else tell('no executors')
    })
}

const HEADINGS = ['EXECUTOR', 'STATE', 'SLOTS', 'POOLS', 'ATTACHED', 'SCHEDULER', 'METHODS']

function tableOf(executors: readonly ExecutorInfo[]): string {
  const rows = executors.map((executor) => [
    executor.name || executor.sessionId,
    stateOf(executor),
    executor.lanes.map(({ lane, slots, used }) => `${lane} ${used}/${slots}`).join(', '),
    executor.pools.join(', '),
    executor.attachTime?.toISOString().slice(0, 19).concat('Z') ?? '',
    executor.scheduler,
    executor.methods.map((method) => versioned(method, executor.versions[method])).join(', '),
  ])
  return linesOf([HEADINGS, ...rows])
}

function versioned(method: string, version: string | undefined): string {
  return version === undefined ? method : `${method}@${version}`
}

function stateOf({ inDoubt, draining }: ExecutorInfo): string {
  if (inDoubt) return 'silent'
  return draining ? 'draining' : 'attached'
}
