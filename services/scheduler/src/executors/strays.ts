/**
 * Finds jobs that the database holds for an executor attached here, and that nobody has sent to it.
 *
 * A claim, or an insert, whose answer is lost may have been committed all the same. Which jobs it took only the
 * database knows, so after such a loss it is asked for a while what the attachments hold.
 *
 * Invariants:
 *  1. A job is requeued only when two looks, one period apart, found it held and unknown: an answer that is merely
 *     late arrives in between.
 *  2. After a loss the looks go on for longer than a statement can run.
 */
import { createLoop, type Service } from '@offstage/kit/lifecycle'
import type { AttemptKey, SweepStore } from '../ports.ts'
import type { Attachments } from './attachments.ts'

export interface StraysOptions {
  readonly sweeps: SweepStore
  readonly attachments: Attachments
  readonly everyMs: number
  /** Puts attempts back into the queue at no charge. */
  requeue(attempts: readonly AttemptKey[]): void
  onError(error: unknown): void
}

export interface Strays extends Service {
  /** The answer to a statement that gives jobs to these attachments was lost. */
  suspect(attachmentIds: Iterable<string>): void
}

const SUSPECT_MS = 60_000

export function createStrays(options: StraysOptions): Strays {
  const { sweeps, attachments, everyMs, requeue, onError } = options
  /** Until when each attachment is looked at. */
  const suspects = new Map<string, number>()
  let unknown = new Set<string>()

  const look = async () => {
    const now = performance.now()
    for (const [id, untilMs] of suspects) {
      if (untilMs < now || attachments.get(id) === undefined) suspects.delete(id)
    }
    if (suspects.size === 0) return
    const strays = (await sweeps.heldBy([...suspects.keys()])).filter(isUnknown)
    requeue(strays.filter((stray) => unknown.has(nameOf(stray))))
    unknown = new Set(strays.map(nameOf))
  }

  const isUnknown = ({ jobId, attachmentId, attempt }: AttemptKey) => {
    const attachment = attachments.get(attachmentId)
    return attachment !== undefined && attachment.running.get(jobId)?.attempt !== attempt
  }

  const loop = createLoop({ name: 'stray jobs', everyMs, timeoutMs: 30_000, run: look, onError })
  return Object.assign(loop, {
    suspect(ids: Iterable<string>) {
      for (const id of ids) suspects.set(id, performance.now() + SUSPECT_MS)
    },
  })
}

function nameOf({ jobId, attachmentId, attempt }: AttemptKey): string {
  return `${jobId} ${attachmentId} ${attempt}`
}
