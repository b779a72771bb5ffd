import type { MethodInfo } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { allOf, answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

/** `offstage methods`: what can be started. */
export function addMethods(program: Command): void {
  program
    .command('methods')
    .description('list the methods executors have announced, and whether they are paused')
    .option('--json', 'with the schemas of parameters and results, and what labels are made of')
    .action(async ({ json }: { readonly json?: boolean }, command: Command) => {
      await using offstage = await answered(connect(command))
      const methods = await answered(allOf(offstage.listMethods({ pageSize: 1_000 })))
      if (json) showValue(methods)
      else if (methods.length > 0) process.stdout.write(tableOf(methods))
      else tell('no methods: no executor has attached to this namespace yet')
      const { isPaused, pausedPools } = await answered(offstage.settings.get())
      if (isPaused) tell('the namespace is paused')
      if (pausedPools.length > 0) tell(`paused pools: ${pausedPools.join(', ')}`)
    })
}

const HEADINGS = [
  'METHOD',
  'LANE',
  'EXECUTORS',
  'VERSIONS',
  'PAUSED',
  'STARTABLE',
  'LABELS',
  'DESCRIPTION',
]

function tableOf(methods: readonly MethodInfo[]): string {
  const rows = methods.map((method) => [
    method.name,
    method.lane,
    String(method.executorCount),
    method.versions.map(({ version }) => version).join(', ') || '-',
    method.isPaused ? 'yes' : '-',
    method.isStartable ? 'yes' : '-',
    Object.keys(method.labelExpressions).join(', ') || '-',
    method.description.replaceAll(/\s+/g, ' '),
  ])
  return linesOf([HEADINGS, ...rows])
}
