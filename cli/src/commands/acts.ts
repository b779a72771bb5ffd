import type { Act } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { parseCount, parseMillis } from './arguments.ts'
import { answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface Flags {
  readonly by?: string
  readonly since?: number
  readonly limit: number
  readonly values?: boolean
  readonly json?: boolean
}

/** `offstage acts`: what operators and administrators did. */
export function addActs(program: Command): void {
  program
    .command('acts')
    .description(
      'list what operators and administrators did on what is not theirs, newest first; for administrators',
    )
    .option('--by <user>', 'only those of this user')
    .option('--since <time>', 'only those of so long ago or later, such as 12h or 7d', parseMillis)
    .option('--limit <count>', 'how many at most', parseCount, 50)
    .option('--values', 'those on temp values and scopes, of the storage service')
    .option('--json', 'all that is known of each')
    .action(async ({ by, since, limit, values, json }: Flags, command: Command) => {
      await using offstage = await answered(connect(command))
      const from = since === undefined ? undefined : new Date(Date.now() - since)
      const pageSize = Math.min(limit, 1_000)
      const which = { user: by, from, pageSize }
      const listing = values ? offstage.listValueActs(which) : offstage.listActs(which)
      const acts = await answered(newest(listing, limit))
      if (json) showValue(acts)
      else if (acts.length > 0) process.stdout.write(tableOf(acts))
      else tell('no acts')
    })
}

async function newest(listing: AsyncIterable<Act>, limit: number): Promise<Act[]> {
  const acts: Act[] = []
  for await (const act of listing) {
    acts.push(act)
    if (acts.length === limit) break
  }
  return acts
}

const HEADINGS = ['TIME', 'USER', 'ROLES', 'CALL', 'OUTCOME', 'TARGETS', 'OWNERS', 'FROM']
const TARGETS_SHOWN = 3

function tableOf(acts: readonly Act[]): string {
  const rows = acts.map((act) => [
    act.time?.toISOString().slice(0, 19).concat('Z') ?? '',
    act.user,
    act.roles.join(','),
    act.call,
    act.outcome,
    shown(act.targets),
    shown(act.owners) || '-',
    act.peer,
  ])
  return linesOf([HEADINGS, ...rows])
}

function shown(names: readonly string[]): string {
  const more = names.length - TARGETS_SHOWN
  return names.slice(0, TARGETS_SHOWN).join(',') + (more > 0 ? ` and ${more} more` : '')
}
