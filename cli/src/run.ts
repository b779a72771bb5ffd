import { readFileSync } from 'node:fs'
import { faultText, redact, UNKNOWN_VARIABLES, unknownVariables } from '@offstage/kit/config'
import { OffstageError } from '@offstage/sdk'
import { Command, CommanderError } from 'commander'
import { addActs } from './commands/acts.ts'
import { parseAddress } from './commands/arguments.ts'
import { addCancel } from './commands/cancel.ts'
import { tell } from './commands/client.ts'
import type { CommandContext } from './commands/context.ts'
import { addCount } from './commands/count.ts'
import { addDev } from './commands/dev.ts'
import { helpLine } from './commands/error-texts.ts'
import { addExclusive } from './commands/exclusive.ts'
import { addExecutors } from './commands/executors.ts'
import { addExplain } from './commands/explain.ts'
import { addGet } from './commands/get.ts'
import { addHelp } from './commands/help.ts'
import { addKeep } from './commands/keep.ts'
import { addLeaks } from './commands/leaks.ts'
import { addLimits } from './commands/limits.ts'
import { addList } from './commands/list.ts'
import { addLocks } from './commands/locks.ts'
import { addMethods } from './commands/methods.ts'
import { addPause } from './commands/pause.ts'
import { addRefresh } from './commands/refresh.ts'
import { addRetention } from './commands/retention.ts'
import { addRetry } from './commands/retry.ts'
import { addSchedules } from './commands/schedules.ts'
import { addStart } from './commands/start.ts'
import { addWait } from './commands/wait.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'

const HELP = `
Services in development mode believe --user, and whoever it names sees and cancels the jobs of all; elsewhere OFFSTAGE_TOKEN says who calls.

Exit codes: ${EXIT.done} done, ${EXIT.failed} the job failed or a call was refused, ${EXIT.canceled} the job was canceled,
${EXIT.unfinished} the time was up, ${EXIT.unreadable} the result is not what it says it is and was printed as it is, ${EXIT.usage} wrong usage, ${EXIT.unreachable} a service or its database cannot be reached,
${EXIT.config} the configuration is not valid, ${EXIT.interrupted} Ctrl-C while waiting: the job goes on.`

/** Runs one command line; resolves to the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let code: number = EXIT.done
  const context: CommandContext = {
    exitWith(other) {
      code = other
    },
  }
  const program = new Command('offstage')
    .version(versionOf(), '--version')
    .description('Background jobs: run the services for development, start jobs and wait for them.')
    .option(
      '--scheduler <host:port>',
      'default: OFFSTAGE_SCHEDULER, else 127.0.0.1:7701',
      parseAddress,
    )
    .option('--storage <host:port>', 'default: OFFSTAGE_STORAGE, else 127.0.0.1:7702', parseAddress)
    .option('--namespace <name>', 'default: OFFSTAGE_NAMESPACE, else default')
    .option('--user <name>', 'whom new jobs are for; default: OFFSTAGE_USER')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(usageFault(text)) })
  for (const add of [
    addDev,
    addStart,
    addWait,
    addList,
    addCount,
    addActs,
    addGet,
    addExplain,
    addCancel,
    addRetry,
    addExecutors,
    addMethods,
    addPause,
    addExclusive,
    addKeep,
    addLeaks,
    addLimits,
    addLocks,
    addRefresh,
    addRetention,
    addSchedules,
    addHelp,
  ])
    add(program, context)
  const unknown = unknownVariables()
  if (unknown.length > 0) tell(`${unknown.join(', ')}: ${UNKNOWN_VARIABLES}`)
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    process.stderr.write(`offstage: ${refusalText(error)}\n`)
    return exitCodeOf(error)
  }
}

/** What commander says of a wrong command line, without the login in an address and the value of an option that it does not know. */
function usageFault(text: string): string {
  return text
    .replace(
      /(<host:port>' argument ')(.*)(?=' is invalid)/s,
      (_, before, value) => before + redact(value),
    )
    .replace(/^(error: unknown option '[^'=]+)=.*'/s, "$1'")
}

function versionOf(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

/** The message of a refusal speaks of one wrong field; several are listed. */
function refusalText(error: unknown): string {
  if (!(error instanceof OffstageError)) return faultText(error)
  const { message, reason, violations } = error
  const fields = violations.map(({ field, description }) => `\n  ${field}: ${description}`)
  const lines = [`${message} (${reason})${violations.length > 1 ? fields.join('') : ''}`]
  const help = helpLine(reason)
  if (help !== '') lines.push(help)
  return lines.join('\n')
}
