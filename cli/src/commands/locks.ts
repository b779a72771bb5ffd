import type { LockInfo } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { parseCount } from './arguments.ts'
import { allOf, answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface FreeFlags {
  readonly token?: number
  readonly anyOwner?: boolean
}

/** `offstage locks`: who holds which data lock. */
export function addLocks(program: Command): void {
  const locks = program
    .command('locks')
    .description('list the data locks that are held, those of others for operators and readers')
    .option('--json', 'all that is known of each')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      const found = await answered(allOf(offstage.locks.list()))
      if (command.optsWithGlobals().json) showValue(found)
      else if (found.length === 0) tell('no locks')
      else process.stdout.write(tableOf(found))
    })
  locks
    .command('free')
    .description('free locks, whatever they are bound to, and print how many were held')
    .argument('<names...>', 'such as orders/17')
    .option('--token <number>', 'only the one with this fencing token', parseCount)
    .option('--any-owner', 'those of other users, too; for administrators')
    .action(async (names: string[], flags: FreeFlags, command: Command) => {
      await using offstage = await answered(connect(command))
      const { token: fencingToken, anyOwner } = flags
      const freed = await answered(offstage.locks.free(names, { fencingToken, anyOwner }))
      if (command.optsWithGlobals().json) showValue({ freed })
      else process.stdout.write(`${freed}\n`)
    })
}

const HEADINGS = ['NAME', 'MODE', 'OWNER', 'SINCE', 'HELD BY', 'TOKEN', 'WAITING']

function tableOf(locks: readonly LockInfo[]): string {
  const rows = locks.map((lock) => [
    lock.name,
    lock.mode,
    lock.owner,
    lock.acquireTime?.toISOString().slice(0, 19).concat('Z') ?? '',
    heldBy(lock),
    String(lock.fencingToken),
    String(lock.waitingCount),
  ])
  return linesOf([HEADINGS, ...rows])
}

function heldBy({ job, leaseId }: LockInfo): string {
  if (job !== undefined) return `job ${job.id}, attempt ${job.attempt}`
  return leaseId === undefined ? '-' : `lease ${leaseId}`
}
