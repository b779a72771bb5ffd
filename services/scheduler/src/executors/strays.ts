/**
 * Finds jobs that the database holds for an executor attached here, and that nobody has sent to it.
 *
 * A claim, or an insert, whose answer is lost may have been committed all the same. Which jobs it took only the
 * database knows, so after such a loss it is asked for a while what the attachments hold that are in doubt.
 *
 * Invariants:
 *  1. A job is requeued only when two looks, one period apart, found it held and unknown: an answer that is merely
 *     late arrives in between.
 *  2. After a loss the looks go on for longer than a statement can run.
 */
import type { AttemptKey } from '../domain/held-job.ts'
import type { SweepStore } from '../ports/sweeps.ts'
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
  let unknown = new Set<string>()

  const isUnknown = ({ jobId, attachmentId, attempt }: AttemptKey) => {
    const attachment = attachments.get(attachmentId)
    return attachment !== undefined && attachment.running.get(jobId)?.attempt !== attempt
  }

  return async () => {
    const doubted = attachments.all().filter((attachment) => attachment.doubted)
    if (doubted.length === 0) return
    const strays = (await sweeps.heldBy(doubted.map(({ id }) => id))).filter(isUnknown)
    requeue(strays.filter((stray) => unknown.has(nameOf(stray))))
    unknown = new Set(strays.map(nameOf))
  }
}

function nameOf({ jobId, attachmentId, attempt }: AttemptKey): string {
  return `${jobId} ${attachmentId} ${attempt}`
}
