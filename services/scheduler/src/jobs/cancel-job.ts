/** Canceling a job (row J10): one that has not started ends at once, a running one is told to stop. */

import { mayForOthers } from '@offstage/kit/auth'
import { CancelOutcome } from '../domain/cancel-outcome.ts'
import type { CanceledJob, ChangedJob } from '../domain/held-job.ts'
import type { JobId } from '../domain/ids.ts'
import { isTerminal, type JobState } from '../domain/job-state.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { JobChanges } from '../ports/job-changes.ts'
import { jobNotFound } from '../refusals.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { Caller } from './caller.ts'

export interface CancelJobOptions {
  readonly store: JobChanges
  readonly attachments: Attachments
  readonly events: JobEvents
  readonly leaseMs: number
  changed(jobs: readonly ChangedJob[]): void
}

export interface CancelJobRequest {
  readonly namespace: string
  readonly jobId: JobId
  readonly reason: string
  readonly graceMs: number
  readonly cascade: boolean
  /** By another right than that to cancel jobs of others. */
  readonly ofAnyone?: boolean
}

export type CancelJob = (
  caller: Caller,
  request: CancelJobRequest,
) => Promise<{ state: JobState; outcome: CancelOutcome }>

/** Tells executors, those of other replicas too, to stop what was canceled. */
export type TellCanceled = (
  canceled: readonly CanceledJob[],
  terms: { readonly reason: string; readonly graceMs: number },
) => void

export function createTellCanceled({
  attachments,
  events,
}: Pick<CancelJobOptions, 'attachments' | 'events'>): TellCanceled {
  return (canceled, { reason, graceMs }) => {
    const elsewhere = new Set<string>()
    for (const { id: jobId, attempt, attachmentId, state } of canceled) {
      if (isTerminal(state) || attachmentId === undefined) continue
      const attachment = attachments.get(attachmentId)
      if (attachment === undefined) elsewhere.add(attachmentId)
      else attachment.cancel({ jobId, attempt, reason, graceMs })
    }
    for (const attachmentId of elsewhere) events.cancelRequested(attachmentId)
  }
}

export function createCancelJob(options: CancelJobOptions): CancelJob {
  const { store, leaseMs, changed } = options
  const tellCanceled = createTellCanceled(options)
  return async (caller, request) => {
    const { ofAnyone = mayForOthers(caller, 'jobs.cancel') } = request
    const owner = ofAnyone ? undefined : caller.user
    const asked = { ...request, owner, by: caller, leaseMs }
    const canceled = await retryConflicts(() => store.cancel(asked))
    const target = canceled.find((job) => job.id === request.jobId)
    if (target === undefined) throw jobNotFound(request.jobId)
    tellCanceled(canceled, request)
    changed(canceled)
    const { state, completion } = target
    const finishedBefore =
      completion !== undefined && completion.cancelOutcome === CancelOutcome.unknown
    return { state, outcome: finishedBefore ? CancelOutcome.finishedAnyway : outcomeOf(target) }
  }
}

function outcomeOf({ completion }: ChangedJob): CancelOutcome {
  return completion?.cancelOutcome ?? CancelOutcome.unknown
}
