import type { NamespaceLeaks } from '@offstage/sdk/client'
import { bytesText, type LeakFigure, type LeakFigures } from '@offstage/sdk/leaks'
import type { Command } from 'commander'
import { parseMillis } from './arguments.ts'
import { answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

/** `offstage leaks`: what runs leave behind, and for which it is looked. */
export function addLeaks(program: Command): void {
  const leaks = program
    .command('leaks')
    .description('what runs of jobs and sections leave behind, where it is looked for')
    .option('--json', 'all that is known of it')
    .option('--stacks', 'all frames of each place')
    .action(async (flags: { readonly stacks?: boolean }, command: Command) => {
      await using offstage = await answered(connect(command))
      const found = await answered(offstage.leaks.list())
      if (command.optsWithGlobals().json) showValue(found)
      else show(found, flags.stacks === true)
    })
  leaks
    .command('on')
    .description('look for leaks of methods, or of named sections, for a while; for operators')
    .argument('<names...>', 'such as reports.delay, or checkout')
    .option('--for <time>', 'default: 10m; 1s to 24h', parseMillis)
    .action(async (names: string[], flags: { readonly for?: number }, command: Command) => {
      await using offstage = await answered(connect(command))
      await answered(offstage.leaks.track(names, { durationMs: flags.for }))
    })
  leaks
    .command('off')
    .description('look no longer; what was found stays for a day; for operators')
    .argument('[names...]', 'default: all')
    .action(async (names: string[], _flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      await answered(offstage.leaks.stop(names))
    })
}

function show({ tracked, figures }: NamespaceLeaks, withStacks: boolean): void {
  for (const { name, leftMs } of tracked) {
    tell(`leaks of ${name} are looked for, for ${Math.ceil(leftMs / 1_000)} s more`)
  }
  if (figures.length === 0) tell('no runs were looked at; offstage leaks on <method> looks')
  else
    process.stdout.write(
      linesOf([HEADINGS, ...figures.flatMap((each) => rowsOf(each, withStacks))]),
    )
}

const HEADINGS = ['NAME', 'RUNS', 'KIND', 'LEAKING', 'LEFT', 'OPEN', 'PLACE']

function rowsOf({ name, runs, leaks }: LeakFigures, withStacks: boolean): string[][] {
  if (leaks.length === 0) return [[name, String(runs), '-', '0', '0', '0', '']]
  return leaks.flatMap((leak) => rowsOfLeak([name, String(runs)], leak, withStacks))
}

function rowsOfLeak(of: readonly string[], leak: LeakFigure, withStacks: boolean): string[][] {
  const { kind, openedAt, bytesPerRun } = leak
  if (bytesPerRun !== undefined)
    return [[...of, kind, '', '', '', `${bytesText(bytesPerRun)} a run`]]
  const [first = '', ...more] = openedAt.split('\n').map((frame) => frame.trim())
  const counts = [leak.runs, leak.left, leak.open].map(String)
  const others = withStacks ? more.map((frame) => ['', '', '', '', '', '', frame]) : []
  return [[...of, kind, ...counts, first], ...others]
}
