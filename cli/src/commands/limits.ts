import type { MethodLimit, NamespaceSettings, RateLimit } from '@offstage/sdk/client'
import { type Command, InvalidArgumentError } from 'commander'
import { parseCount, parseMillis } from './arguments.ts'
import { answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface SetFlags {
  readonly per?: string
  readonly max?: number
  readonly rate?: RateLimit
  readonly burst?: number
  readonly maxQueued?: number
}

/** `offstage limits`: how many jobs of a method may run, begin and wait. */
export function addLimits(program: Command): void {
  const limits = program
    .command('limits')
    .description('limits on the jobs of methods: how many run, begin and wait')
    .option('--json', 'as JSON')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      show(await answered(offstage.settings.get()), command)
    })
  limits
    .command('set')
    .description(
      'set the limit of a method as a whole, or that of each value of a key; for administrators',
    )
    .argument('<method>', 'such as reports.build')
    .option('--per <expression>', 'for each value of it, which take turns, such as params.tenant')
    .option('--max <count>', 'how many may run at once', parseCount)
    .option('--rate <rate>', 'how many may begin in a time, such as 10/s or 100/5m', parseRate)
    .option(
      '--burst <count>',
      'how many may begin at once (default: as many as the rate)',
      parseCount,
    )
    .option('--max-queued <count>', 'how many may wait: more are refused', parseCount)
    .action(async (method: string, flags: SetFlags, command: Command) => {
      const limit = limitFrom(method, flags, command)
      await using offstage = await answered(connect(command))
      const { etag, limits: before } = await answered(offstage.settings.get())
      const others = before.filter((each) => !isSame(each, limit))
      const change = { etag, limits: [...others, limit] }
      show(await answered(offstage.settings.update(change)), command)
    })
  limits
    .command('clear')
    .description('take the limits of a method away, or of all; for administrators')
    .argument('[method]', 'its name (default: all methods)')
    .action(async (method: string | undefined, _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const { etag, limits: before } = await answered(offstage.settings.get())
      const left = method === undefined ? [] : before.filter((each) => each.method !== method)
      const change = { etag, limits: left }
      show(await answered(offstage.settings.update(change)), command)
    })
}

function limitFrom(method: string, flags: SetFlags, command: Command): MethodLimit {
  const { per, max, rate, burst, maxQueued } = flags
  if (burst !== undefined && rate === undefined) {
    command.error("error: option '--burst <count>' is of a --rate, and there is none")
  }
  if (per === undefined && max === undefined && rate === undefined && maxQueued === undefined) {
    command.error('error: give --max, --rate, --max-queued or --per')
  }
  return {
    method,
    ...(per === undefined ? {} : { per }),
    ...(max === undefined ? {} : { concurrencyMax: max }),
    ...(rate === undefined ? {} : { rate: burst === undefined ? rate : { ...rate, burst } }),
    ...(maxQueued === undefined ? {} : { queuedMax: maxQueued }),
  }
}

/** Of a method there is one for all its jobs, and one for each value of a key. */
function isSame(a: MethodLimit, b: MethodLimit): boolean {
  return a.method === b.method && (a.per === undefined) === (b.per === undefined)
}

function parseRate(text: string): RateLimit {
  const [, count, amount, unit] = /^(\d+)\/(\d*)(ms|s|m|h|d)$/.exec(text) ?? []
  if (count === undefined || unit === undefined) {
    throw new InvalidArgumentError('It must be a count and a time, such as 10/s or 100/5m.')
  }
  return { count: parseCount(count), periodMs: parseMillis(`${amount || 1}${unit}`) }
}

const HEADINGS = ['METHOD', 'PER', 'MAX', 'RATE', 'BURST', 'MAX QUEUED', 'BY']

/** `--json` is an option of the command above too. */
function show({ limits, announcedLimits }: NamespaceSettings, command: Command): void {
  const announced = announcedLimits.map((limit) => ({ ...limit, isAnnounced: true }))
  const all = [...limits.map((limit) => ({ ...limit, isAnnounced: false })), ...announced]
  if (command.optsWithGlobals().json) showValue(all)
  else if (all.length === 0) tell('no limits')
  else {
    const rows = all.map(({ method, per, concurrencyMax, rate, queuedMax, isAnnounced }) => [
      method,
      per ?? '-',
      String(concurrencyMax ?? '-'),
      rate === undefined ? '-' : rateText(rate),
      String(rate?.burst ?? '-'),
      String(queuedMax ?? '-'),
      isAnnounced ? 'definition' : 'setting',
    ])
    process.stdout.write(linesOf([HEADINGS, ...rows]))
  }
}

function rateText({ count, periodMs = 1_000 }: RateLimit): string {
  return periodMs === 1_000 ? `${count}/s` : `${count}/${periodMs}ms`
}
