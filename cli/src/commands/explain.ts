import type { Command } from 'commander'
import { answered, connect } from './client.ts'
import { showValue } from './show-completion.ts'

/** `offstage explain`: why a job waits. */
export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('say why a job waits, and who holds it back')
    .argument('<job>', 'its id')
    .option('--json', 'with its cause, all holders and how many jobs are ahead of it')
    .action(async (jobId: string, { json }: { readonly json?: boolean }, command: Command) => {
      await using offstage = await answered(connect(command))
      const explanation = await answered(offstage.explainJob(jobId))
      if (json) return showValue(explanation)
      const { text, ahead } = explanation
      process.stdout.write(`${text}\n`)
      if (ahead > 0) process.stdout.write(`${aheadText(ahead)} ahead of it in its queue.\n`)
    })
}

/** Counted up to ten thousand. */
function aheadText(ahead: number): string {
  if (ahead === 1) return 'One job is'
  return ahead < 10_000 ? `${ahead} jobs are` : '10,000 jobs or more are'
}
