/**
 * What executors report about running attempts (rows J11, J15): recorded in batches, then hinted at. Executors take turns, and a
 * frame that says much is recorded in several statements, so that none waits for all another has to say.
 */

import type { AttemptKey, MessageRecord, ProgressRecord } from '../domain/held-job.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { ReportStore } from '../ports/attempts.ts'
import { overloaded } from '../refusals.ts'
import { type Batcher, createBatcher } from '../statements/batcher.ts'
import { isDataError, persist } from '../statements/persist.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import type { Attachment } from './attachment.ts'

export interface ReportsOptions {
  readonly store: ReportStore
  readonly feed: JobFeed
  readonly events: JobEvents
  onError(error: unknown): void
}

const BATCH_MAX = 1_000

type Report<T> = Omit<T, 'attachmentId'>

export interface Reports {
  progress(attachment: Attachment, reports: readonly Report<ProgressRecord>[]): Promise<void>
  messages(attachment: Attachment, reports: readonly Report<MessageRecord>[]): Promise<void>
  /** @param ended attempts whose ends come next: whether they waited until then matters to nobody */
  waiting(
    attachment: Attachment,
    attempts: readonly (Report<AttemptKey> & { readonly waiting: boolean })[],
    ended: readonly Report<AttemptKey>[],
  ): Promise<void>
}

export function createReports({ store, feed, events, onError }: ReportsOptions): Reports {
  const recorder = <T extends AttemptKey>(write: (records: readonly T[]) => Promise<void>) =>
    createBatcher<T, undefined>({
      async run(records) {
        await write(records)
        return records.map(() => undefined)
      },
      maxItems: BATCH_MAX,
      maxQueued: 20_000,
      isDataError,
      overflow: () => overloaded('reports'),
    })
  const progress = recorder<ProgressRecord>(store.recordProgress)
  const messages = recorder<MessageRecord>(store.recordMessages)

  const tell = (attachment: Attachment, ids: Iterable<string>, what: 'progress' | 'messages') => {
    for (const id of new Set(ids)) {
      feed.tell(id, what)
      events.job(attachment.namespace, id, what)
    }
  }
  /** Only of attempts this attachment holds; the statement checks again. */
  const held = <T extends Report<AttemptKey>>(attachment: Attachment, reports: readonly T[]) =>
    reports.flatMap((report) =>
      attachment.running.get(report.jobId)?.attempt === report.attempt
        ? [{ ...report, attachmentId: attachment.id }]
        : [],
    )

  /** While the database is away nothing more is read from the executor, so nothing it says is lost. */
  const kept = (attachment: Attachment, write: () => Promise<unknown>) =>
    persist(write, () => !attachment.attached, onError)
  const keptInTurn = async <T>(attachment: Attachment, to: Batcher<T, undefined>, records: T[]) => {
    for (let from = 0; from < records.length; from += BATCH_MAX) {
      const some = records.slice(from, from + BATCH_MAX)
      await kept(attachment, () => to.add(some, attachment.id))
    }
  }

  return {
    async progress(attachment, reports) {
      // A sign of life is not recorded, and of data nobody is told.
      const said = reports.filter((report) => report.progress ?? report.heartbeatData)
      const records = held(attachment, said)
      await keptInTurn(attachment, progress, records)
      tell(
        attachment,
        records.filter((record) => record.progress).map((record) => record.jobId),
        'progress',
      )
    },
    async messages(attachment, reports) {
      const records = held(attachment, reports)
      await keptInTurn(attachment, messages, records)
      tell(
        attachment,
        records.map((record) => record.jobId),
        'messages',
      )
    },
    async waiting(attachment, attempts, ended) {
      const newest = new Map(attempts.map((each) => [nameOf(each), each]))
      if (newest.size > 0) for (const each of ended) newest.delete(nameOf(each))
      for (const waiting of [true, false]) {
        const such = [...newest.values()].filter((attempt) => attempt.waiting === waiting)
        const some = held(attachment, such)
        if (some.length === 0) continue
        for (let from = 0; from < some.length; from += BATCH_MAX) {
          const part = some.slice(from, from + BATCH_MAX)
          await kept(attachment, () => store.setWaiting(part, waiting))
          for (const { jobId } of part) feed.tell(jobId, 'state')
        }
      }
    },
  }
}

function nameOf({ jobId, attempt }: Report<AttemptKey>): string {
  return `${jobId} ${attempt}`
}
