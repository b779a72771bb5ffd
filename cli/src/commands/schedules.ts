import type {
  NewSchedule,
  Offstage,
  OverlapName,
  ScheduleInfo,
  ScheduleTimes,
} from '@offstage/sdk/client'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseCount, parseJson, parseMillis } from './arguments.ts'
import { allOf, answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface TimeFlags {
  readonly cron?: readonly string[]
  readonly every?: number
  readonly exclude?: readonly string[]
  readonly zone?: string
  readonly begin?: Date
  readonly end?: Date
  readonly jitter?: number
  readonly overlap?: OverlapName
  readonly catchUp?: number
  readonly pauseAfter?: number
}

interface CreateFlags extends TimeFlags {
  readonly key?: string
  readonly runAs?: string
}

/** `offstage schedules`: what creates a job at each due time. */
export function addSchedules(program: Command): void {
  const schedules = program
    .command('schedules')
    .description('list schedules, which create a job at each due time')
    .option('--json', 'all that is known of each')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const found = await answered(allOf(offstage.schedules.list()))
      if (command.optsWithGlobals().json) showValue(found)
      else if (found.length === 0) tell('no schedules')
      else process.stdout.write(tableOf(found))
    })
  addCreate(schedules)
  addUpdate(schedules)
  onOne(schedules, 'get', 'tell all of one', (offstage, id) => offstage.schedules.get(id))
  onOne(schedules, 'resume', 'let due times create jobs again', (offstage, id) =>
    offstage.schedules.resume(id),
  )
  addPause(schedules)
  addRuns(schedules)
  addDelete(schedules)
}

function addCreate(schedules: Command): void {
  const create = schedules
    .command('create')
    .description('create a schedule')
    .argument('<id>', 'unique in the namespace')
    .argument('<method>', 'such as reports.delays')
    .argument('[params]', 'parameters as JSON; - reads them from standard input', parseJson)
    .option('--key <key>', 'of its jobs')
    .option('--run-as <user>', 'whom its jobs run for; for administrators and services')
  timeOptions(create).action(
    async (id: string, method: string, params: unknown, flags: CreateFlags, command: Command) => {
      await using offstage = await answered(connect(command))
      const { key, runAs } = flags
      const asked = { id, job: method, params, key, runAs, ...timesFrom(flags) }
      const made = offstage.schedules.create(asked as NewSchedule<unknown, unknown, unknown>)
      show(await answered(made), command)
    },
  )
}

function addUpdate(schedules: Command): void {
  const update = schedules
    .command('update')
    .description('change the times of a schedule: what is not given stays as it is')
    .argument('<id>', 'its id')
  timeOptions(update).action(async (id: string, flags: TimeFlags, command: Command) => {
    await using offstage = await answered(connect(command))
    show(await answered(offstage.schedules.update(id, timesFrom(flags))), command)
  })
}

function timeOptions(command: Command): Command {
  const collect = (one: string, before: readonly string[] = []) => [...before, one]
  const overlaps = ['skip', 'queue-one', 'queue-all', 'allow', 'cancel-running']
  return command
    .option('--cron <expression>', "when it is due, such as '30 2 * * *'; may be repeated", collect)
    .option('--every <time>', 'or from due time to due time, such as 15m', parseMillis)
    .option('--exclude <expression>', 'leave these due times out; may be repeated', collect)
    .option('--zone <name>', 'time zone of the expressions, such as Europe/Berlin')
    .option('--begin <time>', 'no due time before it, such as 2026-01-31T12:00Z', parseTime)
    .option('--end <time>', 'no due time at or after it', parseTime)
    .option('--jitter <time>', 'put each due time off by a part of it', parseMillis)
    .addOption(new Option('--overlap <policy>', 'while its jobs are unfinished').choices(overlaps))
    .option('--catch-up <time>', 'make up for missed due times no older than this', parseMillis)
    .option('--pause-after <count>', 'pause it after so many failures in a row', parseCount)
}

function timesFrom(flags: TimeFlags): ScheduleTimes {
  return {
    cron: flags.cron,
    intervalMs: flags.every,
    exclude: flags.exclude,
    timeZone: flags.zone,
    begin: flags.begin,
    end: flags.end,
    jitterMs: flags.jitter,
    overlap: flags.overlap,
    catchUpMs: flags.catchUp,
    pauseAfterFailures: flags.pauseAfter,
  }
}

function addPause(schedules: Command): void {
  schedules
    .command('pause')
    .description('create no jobs until it is resumed')
    .argument('<id>', 'its id')
    .option('--reason <text>', 'told to whoever looks')
    .action(async (id: string, { reason }: { reason?: string }, command: Command) => {
      await using offstage = await answered(connect(command))
      show(await answered(offstage.schedules.pause(id, reason)), command)
    })
}

function addRuns(schedules: Command): void {
  schedules
    .command('trigger')
    .description('start a job of it now and print its id')
    .argument('<id>', 'its id')
    .action(async (id: string, _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const job = await answered(offstage.schedules.trigger(id))
      process.stdout.write(`${job.id}\n`)
    })
  schedules
    .command('backfill')
    .description('create the jobs of past due times, each once, and print their ids')
    .argument('<id>', 'its id')
    .argument('<from>', 'such as 2026-01-31T12:00Z', parseTime)
    .argument('<before>', 'not in the future', parseTime)
    .action(async (id: string, from: Date, before: Date, _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const ids = await answered(offstage.schedules.backfill(id, { from, before }))
      process.stdout.write(ids.map((each) => `${each}\n`).join(''))
    })
  schedules
    .command('next')
    .description('list the due times that come next')
    .argument('<id>', 'its id')
    .option('--limit <count>', 'how many', parseCount, 10)
    .action(async (id: string, { limit }: { limit: number }, command: Command) => {
      await using offstage = await answered(connect(command))
      const times = await answered(offstage.schedules.nextRuns(id, limit))
      if (command.optsWithGlobals().json) showValue(times)
      else process.stdout.write(times.map((time) => `${timeText(time)}\n`).join(''))
    })
}

function addDelete(schedules: Command): void {
  schedules
    .command('delete')
    .description('remove it; its jobs live on')
    .argument('<id>', 'its id')
    .action(async (id: string, _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      await answered(offstage.schedules.delete(id))
      process.stdout.write('deleted\n')
    })
}

function onOne(
  schedules: Command,
  name: string,
  description: string,
  work: (offstage: Offstage, id: string) => Promise<ScheduleInfo>,
): void {
  schedules
    .command(name)
    .description(description)
    .argument('<id>', 'its id')
    .action(async (id: string, _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      show(await answered(work(offstage, id)), command)
    })
}

function parseTime(text: string): Date {
  const time = new Date(text)
  if (/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(time.getTime()))
    return time
  throw new InvalidArgumentError('It must be a time with its zone, such as 2026-01-31T12:00Z.')
}

/** `--json` is an option of the command above. */
function show(schedule: ScheduleInfo, command: Command): void {
  if (command.optsWithGlobals().json) showValue(schedule)
  else process.stdout.write(tableOf([schedule]))
}

const HEADINGS = ['ID', 'METHOD', 'DUE', 'ZONE', 'NEXT', 'OVERLAP', 'OWNER', 'PAUSED']

function tableOf(schedules: readonly ScheduleInfo[]): string {
  const rows = schedules.map((schedule) => [
    schedule.id,
    schedule.method,
    schedule.cron.join(' | ') || `every ${schedule.intervalMs} ms`,
    schedule.timeZone,
    schedule.nextRun === undefined ? '-' : timeText(schedule.nextRun),
    schedule.overlap,
    schedule.owner,
    schedule.isPaused ? schedule.pauseReason || 'yes' : '-',
  ])
  return linesOf([HEADINGS, ...rows])
}

function timeText(time: Date): string {
  return time.toISOString().replace('.000Z', 'Z')
}
