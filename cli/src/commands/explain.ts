import type { Command } from 'commander'
import { answered, connect } from './client.ts'
import { showValue } from './show-completion.ts'

/** `offstage explain`: why a job waits. */
export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('say why a job waits, and who holds it back')
    .argument('<job>', 'its id')
    .option('--json', 'with its cause, all holders, the executors of its method, and numbers')
    .action(async (jobId: string, { json }: { readonly json?: boolean }, command: Command) => {
      await using offstage = await answered(connect(command))
      const explanation = await answered(offstage.explainJob(jobId))
      if (json) return showValue(explanation)
      process.stdout.write(`${explanation.text}\n`)
    })
}
