import type { RefreshTarget } from '@offstage/sdk/values'
import { type Command, InvalidArgumentError } from 'commander'
import { answered, connect } from './client.ts'

interface RefreshFlags {
  readonly all?: boolean
  readonly tag?: string
  readonly function?: string
  readonly params?: unknown[]
}

/** `offstage refresh`: reusable values are dropped in every client and executor of the namespace. */
export function addRefresh(program: Command): void {
  program
    .command('refresh')
    .description('drop reusable values, in every client and executor of the namespace')
    .option('--all', 'all of them')
    .option('--tag <tag>', 'those with a tag')
    .option('--function <name>', 'those of a function')
    .option(
      '--params <json>',
      'with --function: the value for these parameters, a list',
      parseParams,
    )
    .action(async (flags: RefreshFlags, command: Command) => {
      const target = targetOf(flags, command)
      await using offstage = await answered(connect(command))
      await answered(offstage.refreshValues(target))
    })
}

/** Undefined: all. What is said twice, or not at all, is wrong usage. */
function targetOf(
  { all, tag, function: name, params }: RefreshFlags,
  command: Command,
): RefreshTarget | undefined {
  const said = [all, tag, name].filter((each) => each !== undefined)
  if (said.length !== 1 || (params !== undefined && name === undefined)) {
    command.error('error: name one of --all, --tag and --function, this with or without --params')
  }
  if (tag !== undefined) return { tag }
  return name === undefined ? undefined : { function: name, ...(params && { params }) }
}

function parseParams(text: string): unknown[] {
  try {
    const params: unknown = JSON.parse(text)
    if (Array.isArray(params)) return params
  } catch {
    // Told like other things that are no list.
  }
  throw new InvalidArgumentError('It is a list in JSON, such as ["EUR", 7].')
}
