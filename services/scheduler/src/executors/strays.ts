/**
 * Compares what the database holds for executors attached here with what was sent to them, while it may differ.
 *
 * A claim, or an insert, whose answer is lost may have been committed all the same: then it holds jobs that nobody has sent. One that has
 * lost power may have forgotten a claim (ADR 0016): then executors run what it does not hold for them. So after a loss it is
 * asked for a while what it holds for the attachments that are in doubt.
 *
 * Invariants:
 *  1. A job is requeued, or an attempt fenced, only when two looks, one period apart, found the same: an answer that is merely late
 *     arrives in between.
 *  2. After a loss the looks go on for longer than a statement can run.
 */
import type { AttemptKey } from '../domain/held-job.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import type { Attachment } from './attachment.ts'
import type { Attachments } from './attachments.ts'

export interface StraysOptions {
  readonly sweeps: Pick<SweepStore, 'heldBy'>
  readonly attachments: Attachments
  /** Puts attempts back into the queue at no charge. */
  requeue(attempts: readonly AttemptKey[]): void
}

/** Each call is one look. */
export function createFindStrays(options: StraysOptions): () => Promise<void> {
  const { sweeps, attachments, requeue } = options
  let unsent = new Set<string>()
  let forgotten = new Set<string>()

  const isUnsent = ({ jobId, attachmentId, attempt }: AttemptKey) => {
    const attachment = attachments.get(attachmentId)
    return attachment !== undefined && attachment.running.get(jobId)?.attempt !== attempt
  }

  return async () => {
    const doubted = attachments.all().filter((attachment) => attachment.doubted)
    if (doubted.length === 0) return
    const running = doubted.flatMap(runningOn)
    const held = await sweeps.heldBy(doubted.map(({ id }) => id))
    const strays = held.filter(isUnsent)
    requeue(strays.filter((stray) => unsent.has(nameOf(stray))))
    unsent = new Set(strays.map(nameOf))
    const known = new Set(held.map(nameOf))
    const lost = running.filter((attempt) => !known.has(nameOf(attempt)))
    for (const { attachmentId, jobId, attempt } of lost) {
      const attachment = attachments.get(attachmentId)
      if (!forgotten.has(nameOf({ attachmentId, jobId, attempt }))) continue
      if (attachment?.running.get(jobId)?.attempt === attempt) attachment.fence({ jobId, attempt })
    }
    forgotten = new Set(lost.map(nameOf))
  }
}

function runningOn({ id: attachmentId, running }: Attachment): AttemptKey[] {
  return [...running.values()].map(({ id: jobId, attempt }) => ({ jobId, attachmentId, attempt }))
}

function nameOf({ jobId, attachmentId, attempt }: AttemptKey): string {
  return `${jobId} ${attachmentId} ${attempt}`
}
