import type { AttachmentId } from '../domain/ids.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import type { Attachments } from './attachments.ts'

/** Tells executors attached here what they are to stop; telling twice does no harm. */
export async function sendCancels(
  sweeps: Pick<SweepStore, 'openCancels'>,
  attachments: Attachments,
  ids: readonly AttachmentId[],
  leaseMs: number,
): Promise<void> {
  if (ids.length === 0) return
  const open = await sweeps.openCancels(ids, leaseMs)
  for (const { jobId, attachmentId, attempt, reason, graceMs } of open) {
    attachments.get(attachmentId)?.cancel({ jobId, attempt, reason, graceMs })
  }
}
