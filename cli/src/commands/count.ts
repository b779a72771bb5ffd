import type { CountBy, JobCount, JobStateName } from '@offstage/sdk/client'
import { type Command, Option } from 'commander'
import { filterArgument } from './arguments.ts'
import { answered, connect } from './client.ts'
import { STATES } from './list.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface Flags {
  readonly by?: readonly Dimension[]
  readonly state?: readonly JobStateName[]
  readonly method?: readonly string[]
  readonly json?: boolean
}

const DIMENSIONS = {
  state: 'state',
  method: 'method',
  minute: 'createMinute',
} as const satisfies Record<string, CountBy>
type Dimension = keyof typeof DIMENSIONS

/** `offstage count`: how many jobs there are. */
export function addCount(program: Command): void {
  program
    .command('count')
    .description('count jobs; by state where nothing else is said')
    .addArgument(filterArgument())
    .addOption(
      new Option('--by <what...>', 'one count for each combination of these').choices(
        Object.keys(DIMENSIONS),
      ),
    )
    .addOption(new Option('--state <state...>', 'only those in these states').choices(STATES))
    .option('--method <method...>', 'only those of these methods')
    .option('--json', 'as JSON')
    .action(async (words: readonly string[], flags: Flags, command: Command) => {
      const { by = ['state'], state, method, json } = flags
      await using offstage = await answered(connect(command))
      const filter = { states: state, methods: method, filter: words.join(' ') }
      const dimensions = [...new Set(by)].map((name) => DIMENSIONS[name])
      const counts = await answered(offstage.countJobs(filter, { by: dimensions }))
      if (json) showValue(counts)
      else process.stdout.write(tableOf(counts, dimensions))
    })
}

function tableOf(counts: readonly JobCount[], by: readonly CountBy[]): string {
  const textOf = (count: JobCount, dimension: CountBy) => {
    const value = count[dimension]
    return value instanceof Date ? value.toISOString().slice(0, 16).concat('Z') : (value ?? '')
  }
  const names = Object.entries(DIMENSIONS)
  const headings = by.map((dimension) => names.find(([, of]) => of === dimension)?.[0] ?? '')
  const rows = counts.map((count) => [
    ...by.map((dimension) => textOf(count, dimension)),
    String(count.count),
  ])
  return linesOf([[...headings, 'jobs'].map((heading) => heading.toUpperCase()), ...rows])
}
