/**
 * Leases of executor attachments, by the database's clock (guarantee 9).
 *
 * Two loops: one renews the leases of the executors heard from; the other takes jobs from attachments whose lease has run out,
 * whichever replica they were attached to.
 *
 * Invariants:
 *  1. A lease is renewed only for an executor that was heard from since the last renewal.
 *  2. An attachment whose lease this replica could not hold is closed, and its executor attaches anew.
 *  3. A replica that was without its database takes nothing from anyone for one lease: the leases of others ran out for
 *     the same reason.
 */
import { composeServices, createLoop, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import type { AttachmentStore, ChangedJob, SweepStore } from '../ports.ts'
import type { Attachments } from './attachments.ts'

export interface LeasesOptions {
  readonly attachments: Attachments
  readonly store: AttachmentStore
  readonly sweeps: SweepStore
  readonly leaseMs: number
  readonly crashLimit: number
  /** Ends the stream of an executor that has gone silent or lost its lease. */
  close(attachmentId: string): void
  changed(jobs: readonly ChangedJob[]): void
  readonly log: Logger
  onError(error: unknown): void
}

const RELEASE_BATCH = 1_000
/** In one line of the log. */
const JOBS_NAMED_MAX = 20
const FORGET_AFTER_MS = 3_600_000

export function createLeases(options: LeasesOptions): Service {
  const { attachments, store, sweeps, leaseMs } = options
  let heldSince: number | undefined
  const silent = new Map<string, number>()

  const renew = async () => {
    const heard = attachments.all().filter((attachment) => attachment.heard)
    closeSilent()
    for (const attachment of heard) attachment.heard = false
    try {
      const held = await store.renew(
        heard.map((attachment) => attachment.id),
        leaseMs,
      )
      heldSince ??= performance.now()
      for (const { id } of heard) if (!held.has(id)) options.close(id)
    } catch (error) {
      heldSince = undefined
      for (const attachment of heard) attachment.heard = true
      throw error
    }
  }

  /** Three renewals without a word are a whole lease. */
  const closeSilent = () => {
    for (const { id, heard } of attachments.all()) {
      const rounds = heard ? 0 : (silent.get(id) ?? 0) + 1
      silent.set(id, rounds)
      if (rounds < 3) continue
      options.log.warn({ attachment: id }, 'executor has fallen silent; its stream is closed')
      options.close(id)
    }
    for (const id of silent.keys()) if (attachments.get(id) === undefined) silent.delete(id)
  }

  const release = async () => {
    if (heldSince === undefined || performance.now() - heldSince < leaseMs) return
    for (let full = true; full; ) {
      const jobs = await sweeps.releaseLost(RELEASE_BATCH, options.crashLimit)
      if (jobs.length > 0) {
        const ids = jobs.slice(0, JOBS_NAMED_MAX).map((job) => job.id)
        options.log.warn({ count: jobs.length, jobs: ids }, 'jobs taken from lost executors')
      }
      options.changed(jobs)
      full = jobs.length === RELEASE_BATCH
    }
    await store.forgetLost(FORGET_AFTER_MS)
  }

  const loop = (name: string, everyMs: number, run: () => Promise<void>) =>
    createLoop({ name, everyMs, timeoutMs: 30_000, run, onError: options.onError })
  return composeServices('leases', [
    loop('lease renewal', leaseMs / 3, renew),
    loop('lost executors', Math.min(leaseMs / 2, 5_000), release),
  ])
}
