import type { Logger } from '@offstage/kit/telemetry'
import type { AttemptKey, ClaimedJob } from '../domain/held-job.ts'
import type { Attachments } from '../executors/attachments.ts'

export interface DeliverOptions {
  readonly attachments: Attachments
  readonly log: Logger
}

/** Gives jobs that were committed as running to their executors; what could not be given is to go back into the queue. */
export type Deliver = (jobs: readonly ClaimedJob[]) => AttemptKey[]

export function createDeliver({ attachments, log }: DeliverOptions): Deliver {
  return (jobs) => {
    const unsent: AttemptKey[] = []
    for (const job of jobs) {
      const { id: jobId, attachmentId, attempt, lane } = job
      const attachment = attachments.get(attachmentId)
      const assigned = attachment?.assign(job) ?? 'detached'
      if (assigned === 'sent') continue
      if (assigned !== 'runs') unsent.push({ jobId, attachmentId, attempt })
      // Nothing was begun in the slot that was taken for it.
      attachment?.grant(lane, 1)
      if (assigned !== 'clashes') continue
      // Only who attaches anew learns what of all it runs is still its own.
      log.warn({ job: jobId, attempt, attachment: attachmentId }, 'a job was given twice')
      attachment?.close()
    }
    return unsent
  }
}
