import type {
  EndStateName,
  JobKindName,
  RetentionInForce,
  RetentionRule,
} from '@offstage/sdk/client'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseCount, parseMillis } from './arguments.ts'
import { answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface SetFlags {
  readonly kind?: JobKindName
  readonly state?: EndStateName
  readonly maxCount?: number
  readonly maxAge?: number
}

const KINDS = ['program', 'system', 'scheduled']
const STATES = ['succeeded', 'failed', 'canceled']

/** `offstage retention`: how long finished jobs are kept. */
export function addRetention(program: Command): void {
  const retention = program
    .command('retention')
    .description('how long finished jobs are kept, by kind and by how they ended')
    .option('--json', 'as JSON')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const { retention: rules } = await answered(offstage.settings.get())
      show(rules, command)
    })
  retention
    .command('set')
    .description('change it, of all kinds and ends or of those that are named; for administrators')
    .addOption(new Option('--kind <kind>', 'only of this kind').choices(KINDS))
    .addOption(new Option('--state <state>', 'only of those that ended so').choices(STATES))
    .option('--max-count <count>', 'keep the newest so many, or unlimited', parseCountMax)
    .option(
      '--max-age <time>',
      'keep them so long after their end, such as 12h or 30d',
      parseMillis,
    )
    .action(async (flags: SetFlags, command: Command) => {
      if (flags.maxCount === undefined && flags.maxAge === undefined) {
        command.error('error: give --max-count or --max-age, or both')
      }
      await using offstage = await answered(connect(command))
      const { etag, retention: before } = await answered(offstage.settings.get())
      const rules = before.map((rule) => changed(rule, flags))
      const change = { etag, retention: rules }
      show((await answered(offstage.settings.update(change))).retention, command)
    })
  retention
    .command('preview')
    .description('what the next sweep removes, by the rules in force; for operators')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const expired = await answered(offstage.settings.previewRetention())
      if (command.optsWithGlobals().json) return showValue(expired)
      const rows = expired.map(({ kind, state, keptCount, expiredCount, oldest }) => [
        kind,
        state,
        String(keptCount),
        String(expiredCount),
        oldest?.toISOString() ?? '-',
      ])
      if (rows.length === 0) return tell('no finished jobs')
      process.stdout.write(linesOf([PREVIEW_HEADINGS, ...rows]))
    })
  retention
    .command('reset')
    .description('back to the defaults, of all kinds and ends; for administrators')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      show((await answered(offstage.settings.update({ retention: [] }))).retention, command)
    })
}

function changed(
  rule: RetentionInForce,
  { kind, state, maxCount, maxAge }: SetFlags,
): RetentionRule {
  const meant = (kind ?? rule.kind) === rule.kind && (state ?? rule.state) === rule.state
  if (!meant) return rule
  return { ...rule, countMax: maxCount ?? rule.countMax, ageMsMax: maxAge ?? rule.ageMsMax }
}

function parseCountMax(text: string): number {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY
  try {
    return parseCount(text)
  } catch {
    throw new InvalidArgumentError('It must be a whole number from 1, or unlimited.')
  }
}

const PREVIEW_HEADINGS = ['KIND', 'STATE', 'FINISHED', 'TO BE REMOVED', 'OLDEST ENDED']
const HEADINGS = ['KIND', 'STATE', 'MAX COUNT', 'MAX AGE']

/** `--json` is an option of the command above too. */
function show(rules: readonly RetentionInForce[], command: Command): void {
  if (command.optsWithGlobals().json) showValue(rules.map(jsonOf))
  else {
    const rows = rules.map(({ kind, state, countMax, ageMsMax }) => [
      kind,
      state,
      Number.isFinite(countMax) ? String(countMax) : 'unlimited',
      ageText(ageMsMax),
    ])
    process.stdout.write(linesOf([HEADINGS, ...rows]))
  }
}

/** JSON has no infinity. */
function jsonOf(rule: RetentionInForce): object {
  return { ...rule, countMax: Number.isFinite(rule.countMax) ? rule.countMax : null }
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** In the largest unit that makes it a whole number, as the flag takes it. */
function ageText(ms: number): string {
  for (const [unit, unitMs] of UNITS) {
    if (ms % unitMs === 0) return `${ms / unitMs}${unit}`
  }
  return `${ms}ms`
}
