/** What `cancel`, `retry` and `delete` do to all jobs that a filter selects: counted, asked about, done, told. */
import { createInterface } from 'node:readline/promises'
import type { JobHandle, Offstage } from '@offstage/sdk'
import type { BulkResult, JobFilter, JobSelection } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { answered, connect, connectOptions, tell } from './client.ts'
import { showCompletion, showValue } from './show-completion.ts'

export interface BulkFlags {
  readonly filter?: string
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/** The job's id becomes one of two ways to say what is meant. */
export function addBulkOptions(command: Command): Command {
  return command
    .option('--filter <terms>', "all jobs it selects, such as 'state:failed method:reports.*'")
    .option('--all', 'all jobs of the namespace that are yours to change')
    .option('--dry-run', 'tell which jobs it would be, and do nothing')
    .option('-y, --yes', 'do not ask')
}

export interface BulkWork {
  /** In the question, as in “cancel 3 jobs?”. */
  readonly verb: string
  preview(offstage: Offstage, filter: JobFilter, all: boolean): Promise<JobSelection>
  start(offstage: Offstage, filter: JobFilter, all: boolean): Promise<JobHandle<BulkResult>>
}

/** Whether many jobs are meant and not one; ends the command where that is not clear. */
export function meansMany(jobId: string | undefined, flags: BulkFlags, command: Command): boolean {
  const ways = [jobId, flags.filter, flags.all].filter((way) => way !== undefined)
  if (ways.length !== 1) {
    command.error("error: name a job, or give --filter '…', or --all: one of them")
  }
  if (jobId === undefined) return true
  if (flags.dryRun || flags.yes) {
    command.error('error: --dry-run and --yes go with --filter or --all')
  }
  return false
}

/** Resolves to the exit code. */
export async function runInBulk(
  work: BulkWork,
  { filter: text, all = false, dryRun, yes }: BulkFlags,
  command: Command,
): Promise<number> {
  await using offstage = await answered(connect(command))
  const filter = { filter: text ?? '' }
  const selection = await answered(work.preview(offstage, filter, all))
  if (dryRun) {
    showValue(selection)
    return EXIT.done
  }
  const count = `${selection.isMore ? 'more than ' : ''}${selection.count} job${selection.count === 1 ? '' : 's'}`
  if (selection.count === 0) {
    tell('no jobs')
    return EXIT.done
  }
  if (!yes && !(await isConfirmed(`${work.verb} ${count}? [y/N] `, command))) {
    tell('nothing was done')
    return EXIT.failed
  }
  const job = await answered(work.start(offstage, filter, all))
  // Awaited here: the client closes with this function.
  return await showCompletion(offstage, job, { connect: connectOptions(command) })
}

async function isConfirmed(question: string, command: Command): Promise<boolean> {
  if (!process.stdin.isTTY) {
    command.error('error: there is no terminal to ask at; give --yes, after a look at --dry-run')
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim())
  } finally {
    lines.close()
  }
}
