/**
 * Leases of executor attachments, counted in rounds (ADR 0009).
 *
 * Three loops: one renews the leases of the executors heard from, at least twice in a round; one counts the rounds, by which
 * leases run out; the last takes jobs from attachments that are over, whichever replica they were attached to.
 *
 * Invariants:
 *  1. A lease is renewed only for an executor that was heard from since it was renewed last.
 *  2. An attachment that is over is closed, and its executor attaches anew.
 *  3. What is held up by the database, by a lock or by a pause of this process costs a lease one round at most; so nobody
 *     who is heard from is lost to it, and nobody who is gone gains more by it than it lasts.
 */

import { composeServices, createLoop, type Service } from '@offstage/kit/lifecycle'
import type { Logger } from '@offstage/kit/telemetry'
import type { ChangedJob } from '../domain/held-job.ts'
import type { AttachmentId } from '../domain/ids.ts'
import type { AttachmentStore, LeaseStore } from '../ports/executors.ts'
import type { Attachments } from './attachments.ts'
import { createLeaseRounds, leaseTerms } from './lease-rounds.ts'

export interface LeasesOptions {
  readonly attachments: Attachments
  readonly store: Pick<AttachmentStore, 'renew'>
  readonly leases: LeaseStore
  readonly leaseMs: number
  readonly crashLimit: number
  changed(jobs: readonly ChangedJob[]): void
  readonly counts: LeaseCounts
  readonly log: Logger
  onError(error: unknown): void
}

/** What this replica has found since its start: each loss is found by one replica. */
export interface LeaseCounts {
  leasesLost: number
  jobsReleased: number
}

const RELEASE_BATCH = 1_000
/** In one line of the log. */
const JOBS_NAMED_MAX = 20
/** Longer than a statement can be on its way that gives a job to an attachment that is over; and explanations name who was there lately. */
const FORGET_AFTER_MS = 600_000

export function createLeases(options: LeasesOptions): Service {
  const { attachments, leases, leaseMs } = options
  const terms = leaseTerms(leaseMs)
  const forgetRounds = Math.ceil(FORGET_AFTER_MS / terms.roundMs)

  const release = async () => {
    for (let full = true; full; ) {
      const jobs = await leases.releaseLost(RELEASE_BATCH, options.crashLimit)
      if (jobs.length > 0) {
        options.counts.jobsReleased += jobs.length
        const ids = jobs.slice(0, JOBS_NAMED_MAX).map((job) => job.id)
        options.log.warn({ count: jobs.length, jobs: ids }, 'jobs taken from lost executors')
      }
      options.changed(jobs)
      full = jobs.length === RELEASE_BATCH
    }
    await leases.forgetEnded(forgetRounds)
  }

  const loop = (name: string, everyMs: number, run: () => Promise<void>) =>
    createLoop({ name, everyMs, timeoutMs: 30_000, run, onError: options.onError })
  const releasing = loop('lost executors', Math.min(leaseMs / 2, 5_000), release)
  const rounds = createLeaseRounds({
    ...terms,
    store: leases,
    onLost(ids) {
      options.counts.leasesLost += ids.length
      options.log.warn({ attachments: ids.slice(0, JOBS_NAMED_MAX) }, 'leases have run out')
      for (const id of ids) attachments.get(id)?.close()
      releasing.wake()
    },
    onError: options.onError,
  })
  const renewing = loop(
    'lease renewal',
    terms.roundMs / 2,
    createRenewal(options, terms.leaseRounds),
  )
  return composeServices('leases', [renewing, rounds, releasing])
}

/** One round of renewals; in a lease there are two for each of its rounds. */
function createRenewal(options: LeasesOptions, leaseRounds: number): () => Promise<void> {
  const { attachments, store, log } = options
  /** For how many renewals in a row each attachment said nothing, or could not be renewed. */
  const silent = new Map<AttachmentId, number>()
  const stuck = new Map<AttachmentId, number>()

  const closeSilent = () => {
    for (const attachment of attachments.all()) {
      const { id, heard } = attachment
      if (count(silent, id, !heard) < leaseRounds * 2) continue
      log.warn({ attachment: id }, 'executor has fallen silent; its stream is closed')
      attachment.close()
    }
    for (const counts of [silent, stuck]) {
      for (const id of counts.keys()) if (attachments.get(id) === undefined) counts.delete(id)
    }
  }

  return async () => {
    closeSilent()
    const heard = attachments.all().filter((attachment) => attachment.heard)
    if (heard.length === 0) return
    // What is heard while the statement is on its way counts for the next one.
    const words = heard.map((attachment) => attachment.words)
    const held = await store.renew(heard.map(({ id }) => id))
    for (const [index, attachment] of heard.entries()) {
      const { id } = attachment
      const renewed = held.get(id)
      if (renewed === true) attachment.renewed(words[index] ?? 0)
      // One that has gone meanwhile, or attached anew, ended it itself.
      if (!attachment.attached) continue
      if (renewed === undefined) {
        log.warn({ attachment: id }, 'the lease of an executor was lost; it has to attach anew')
        attachment.close()
      } else if (count(stuck, id, !renewed) === leaseRounds) {
        log.warn({ attachment: id }, 'the lease of an executor is not renewed: its row is locked')
      }
    }
  }
}

/** Counts how often in a row `again` was true. */
function count(counts: Map<AttachmentId, number>, id: AttachmentId, again: boolean): number {
  const next = again ? (counts.get(id) ?? 0) + 1 : 0
  if (next === 0) counts.delete(id)
  else counts.set(id, next)
  return next
}
