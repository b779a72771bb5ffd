import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { ChildrenPolicy } from '@offstage/sdk/jobs'
import { type Command, Option } from 'commander'
import { parseJson, parseMillis } from './arguments.ts'
import { answered, connect, connectOptions, tell } from './client.ts'
import type { CommandContext } from './context.ts'
import { showCompletion } from './show-completion.ts'

interface Flags {
  readonly wait?: boolean
  readonly file?: string
  readonly timeout?: number
  readonly key?: string
  readonly fallback?: string
  readonly name?: string
  readonly pool?: string
  readonly requireVersion?: string
  readonly lease?: string
  readonly automatic?: boolean
  readonly childrenPolicy?: ChildrenPolicy
  readonly queueDeadline?: number
  readonly attemptDeadline?: number
  readonly heartbeatDeadline?: number
  readonly totalDeadline?: number
}

/** `offstage start`: starts a job and prints its id, or with --wait its result. */
export function addStart(program: Command, { exitWith }: CommandContext): void {
  program
    .command('start')
    .description('start a job and print its id')
    .argument('<method>', 'such as reports.delays')
    .argument('[params]', 'parameters as JSON; - reads them from standard input', parseJson)
    .option(
      '--file <path>',
      'parameters are the bytes of a file, as a stream; - for standard input',
    )
    .option('-w, --wait', 'wait for the end and print the result; the id goes to standard error')
    .option('--timeout <time>', 'longest --wait, such as 30s (default: no limit)', parseMillis)
    .option('--key <key>', 'refused while an unfinished job of the method has the key')
    .option('--fallback <method>', 'called in its place where the method is unknown')
    .option('--name <name>', 'a name for people')
    .option('--pool <name>', 'run it only on executors that serve this pool')
    .option(
      '--require-version <version>',
      'run it only on executors that announce this version of the method',
    )
    .option('--lease <id>', 'the lease it belongs to, by which you have the namespace exclusively')
    .option(
      '--automatic',
      'let it wait, where it would be refused, while somebody has the namespace',
    )
    .addOption(
      new Option(
        '--children-policy <policy>',
        'fail where attached children do, by: all of them, the first, or ignore it',
      ).choices(['all', 'first', 'ignore']),
    )
    .option('--queue-deadline <time>', 'longest wait for the first executor', parseMillis)
    .option('--attempt-deadline <time>', 'longest run of one attempt', parseMillis)
    .option('--heartbeat-deadline <time>', 'longest silence of the handler, from 1s', parseMillis)
    .option('--total-deadline <time>', 'longest life over all attempts', parseMillis)
    .action(async (method: string, params: unknown, flags: Flags, command: Command) => {
      if (flags.timeout !== undefined && !flags.wait) {
        command.error("error: option '--timeout <time>' limits a --wait, and there is none")
      }
      if (flags.file !== undefined && params !== undefined) {
        command.error(
          "error: option '--file <path>' takes the place of [params], and both are given",
        )
      }
      const file = flags.file === undefined ? undefined : await openFile(flags.file, command)
      await using offstage = await answered(connect(command))
      const deadlines = {
        queueMs: flags.queueDeadline,
        attemptMs: flags.attemptDeadline,
        heartbeatMs: flags.heartbeatDeadline,
        totalMs: flags.totalDeadline,
      }
      const { key, fallback: fallbackMethod, name: displayName, pool } = flags
      const { requireVersion: requiredVersion, lease: leaseId, automatic, childrenPolicy } = flags
      const terms = { key, fallbackMethod, displayName, pool, requiredVersion, leaseId, automatic }
      const options = { ...terms, childrenPolicy, deadlines }
      const job = await answered(offstage.startJob(method, file ?? params, options))
      if (flags.wait) {
        tell(`job ${job.id}`)
        const terms = { timeoutMs: flags.timeout, connect: connectOptions(command) }
        exitWith(await showCompletion(offstage, job, terms))
      } else process.stdout.write(`${job.id}\n`)
    })
}

/** Read as it is sent; what cannot be opened is told before anything is. */
async function openFile(path: string, command: Command): Promise<Readable> {
  if (path === '-') return process.stdin
  try {
    return (await open(path)).createReadStream()
  } catch (error) {
    const { message } = error as Error
    return command.error(
      `error: option '--file <path>' names a file that cannot be read: ${message}`,
    )
  }
}
