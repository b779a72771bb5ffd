import type { ExclusiveHolder, ExclusiveMode } from '@offstage/sdk/client'
import type { Command } from 'commander'
import { parseMillis } from './arguments.ts'
import { answered, connect, tell } from './client.ts'
import { showValue } from './show-completion.ts'
import { linesOf } from './table.ts'

interface EnterFlags {
  readonly timeout?: number
  readonly cancelRunning?: boolean
}

/** `offstage exclusive`: has the namespace for oneself, and tells who does. */
export function addExclusive(program: Command): void {
  const exclusive = program
    .command('exclusive')
    .description('have the namespace for yourself: nothing of others runs meanwhile')
  exclusive
    .command('enter')
    .description('take it for as long as this command runs; prints the lease, which is for starts')
    .option('--timeout <time>', 'how long to wait for what runs, such as 30s', parseMillis)
    .option('--cancel-running', 'cancel what runs, with a grace of 10 s')
    .action(async ({ timeout: timeoutMs, cancelRunning }: EnterFlags, command: Command) => {
      await using offstage = await answered(connect(command))
      await using mode = await offstage.exclusive({ timeoutMs, cancelRunning })
      process.stdout.write(`${mode.leaseId}\n`)
      tell(`since ${mode.since.toISOString()}; it ends with this command (Ctrl-C)`)
      await untilToldToStop(mode)
    })
  exclusive
    .command('leave')
    .description('end it, whoever has it; for administrators')
    .action(async (_flags: object, command: Command) => {
      await using offstage = await answered(connect(command))
      await answered(offstage.endExclusiveMode())
      process.stdout.write('left\n')
    })
  exclusive
    .command('show')
    .description('tell who has it, since when and until when at least')
    .option('--json', 'as JSON; null for nobody')
    .action(async ({ json }: { readonly json?: boolean }, command: Command) => {
      await using offstage = await answered(connect(command))
      const holder = await answered(offstage.exclusiveHolder())
      if (json) showValue(holder ?? null)
      else if (holder === undefined) tell('nobody has the namespace exclusively')
      else process.stdout.write(tableOf(holder))
    })
}

/** Its renewals alone do not keep the process. Throws where it is lost. */
async function untilToldToStop({ signal }: ExclusiveMode): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const keepsRunning = setInterval(() => {}, 60_000)
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  process.once('SIGINT', resolve).once('SIGTERM', resolve)
  try {
    await promise
  } finally {
    clearInterval(keepsRunning)
    process.off('SIGINT', resolve).off('SIGTERM', resolve)
  }
}

function tableOf({ owner, since, until }: ExclusiveHolder): string {
  const time = (date: Date) => date.toISOString().slice(0, 19).concat('Z')
  return linesOf([
    ['OWNER', 'SINCE', 'UNTIL'],
    [owner, since === undefined ? 'waits for what runs' : time(since), time(until)],
  ])
}
