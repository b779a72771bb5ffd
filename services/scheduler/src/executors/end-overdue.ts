import { overdueError } from '../domain/deadline.ts'
import type { Attachments } from './attachments.ts'
import type { Intake } from './intake.ts'

/** Executors give a handler 5 s to stop, and then have to say so. */
const SLACK_MS_MAX = 7_000

/** Ends what executors attached here run past its deadlines, as if they had (row J17); they are told to stop it. */
export async function endOverdue(
  attachments: Attachments,
  intake: Pick<Intake, 'record'>,
  leaseMs: number,
): Promise<void> {
  const slackMs = Math.min(leaseMs, SLACK_MS_MAX)
  const ended = attachments.all().map(async (attachment) => {
    const overdue = attachment.overdue(slackMs)
    if (overdue.length === 0) return
    attachment.setAside()
    const refs = overdue.map(({ job }) => ({ jobId: job.id, attempt: job.attempt }))
    const results = overdue.map(({ job, deadline }) => ({
      jobId: job.id,
      attempt: job.attempt,
      outcome: { kind: 'failed', error: overdueError(deadline) } as const,
      additionalResult: undefined,
    }))
    try {
      await intake.record(attachment, results)
    } catch (error) {
      for (const { job } of overdue) attachment.timed.add(job)
      throw error
    }
    for (const ref of refs) attachment.fence(ref)
  })
  await Promise.all(ended)
}
