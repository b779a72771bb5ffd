import type { JobStateName } from '@offstage/sdk'
import { type Command, Option } from 'commander'
import { filterArgument, parseCount } from './arguments.ts'
import { answered, connect, connectOptions, tell } from './client.ts'
import { readNewestJobs } from './job-records.ts'
import { tableOf } from './job-table.ts'
import { showValue } from './show-completion.ts'

interface Flags {
  readonly state?: readonly JobStateName[]
  readonly method?: readonly string[]
  readonly limit: number
  readonly json?: boolean
}

/** As they can be named on the command line. */
export const STATES: readonly JobStateName[] = [
  'scheduled',
  'queued',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'canceled',
]

/** `offstage list`: the newest jobs. */
export function addList(program: Command): void {
  program
    .command('list')
    .alias('jobs')
    .description('list jobs, newest first')
    .addArgument(filterArgument())
    .addOption(new Option('--state <state...>', 'only those in these states').choices(STATES))
    .option('--method <method...>', 'only those of these methods')
    .option('--limit <count>', 'how many at most', parseCount, 20)
    .option(
      '--json',
      'all that is known of each but results and details of errors, which get prints',
    )
    .action(async (words: readonly string[], flags: Flags, command: Command) => {
      const { state = [], method = [], limit, json } = flags
      await using _reachable = await answered(connect(command))
      const filter = { states: state, methods: method, filter: words.join(' ') }
      const read = readNewestJobs(connectOptions(command), filter, limit)
      const jobs = await answered(read)
      if (json) showValue(jobs)
      else if (jobs.length > 0) process.stdout.write(tableOf(jobs, Date.now()))
      else tell('no jobs')
    })
}
