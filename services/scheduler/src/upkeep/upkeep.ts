/** The sweeps behind due times, deadlines, keys and cancels (guarantee 4): bounded work, bounded periods. */
import { composeServices, createLoop, type Loop, type Service } from '@offstage/kit/lifecycle'
import type { Attachments } from '../executors/attachments.ts'
import type { ChangedJob, SweepStore } from '../ports.ts'

export interface UpkeepOptions {
  readonly sweeps: SweepStore
  readonly attachments: Attachments
  readonly dueMs: number
  readonly leaseMs: number
  changed(jobs: readonly ChangedJob[]): void
  onError(error: unknown): void
}

export interface Upkeep extends Service {
  /** A key has become free: look at once who waits for it. */
  keyFreed(): void
}

const BATCH = 1_000
const CANCELS_MS = 2_000

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { sweeps, attachments, changed, onError } = options
  const loop = (name: string, everyMs: number, run: () => Promise<void>): Loop =>
    createLoop({ name, everyMs, timeoutMs: 30_000, run, onError })
  const untilDone = (sweep: (limit: number) => Promise<ChangedJob[]>) => async () => {
    for (let full = true; full; ) {
      const jobs = await sweep(BATCH)
      changed(jobs)
      full = jobs.length === BATCH
    }
  }
  const keys = loop('free keys', CANCELS_MS, untilDone(sweeps.promoteBehindKey))
  const service = composeServices('upkeep', [
    loop('due jobs', options.dueMs, untilDone(sweeps.promoteDue)),
    loop('queue deadlines', options.dueMs * 4, untilDone(sweeps.expireQueued)),
    keys,
    loop('overdue cancels', CANCELS_MS, untilDone(sweeps.forceCanceled)),
    loop('open cancels', CANCELS_MS, async () => {
      const ids = attachments.all().map((attachment) => attachment.id)
      await sendCancels(sweeps, attachments, ids, options.leaseMs)
    }),
  ])
  return Object.assign(service, { keyFreed: () => keys.wake() })
}

/** Tells executors attached here what they are to stop; telling twice does no harm. */
export async function sendCancels(
  sweeps: SweepStore,
  attachments: Attachments,
  ids: readonly string[],
  leaseMs: number,
): Promise<void> {
  if (ids.length === 0) return
  const open = await sweeps.openCancels(ids, leaseMs)
  for (const { jobId, attachmentId, attempt, reason, graceMs } of open) {
    attachments.get(attachmentId)?.cancel({ jobId, attempt, reason, graceMs })
  }
}
