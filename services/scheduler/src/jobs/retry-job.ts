/** Starting an ended job anew (row J25): the same job, with new attempts. */

import { mayForOthers } from '@offstage/kit/auth'
import type { ChangedJob } from '../domain/held-job.ts'
import type { JobId } from '../domain/ids.ts'
import type { Job } from '../domain/job.ts'
import type { Methods } from '../executors/methods.ts'
import type { JobChanges } from '../ports/job-changes.ts'
import type { JobReads } from '../ports/job-reads.ts'
import { jobNotFound, keyTaken, overloaded } from '../refusals.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'
import type { Caller } from './caller.ts'
import type { FindJobs } from './find-jobs.ts'
import { refusesAnew } from './may-start.ts'
import { bulkNotRetryable, jobNotRetryable } from './refusals.ts'

export interface RetryJobOptions {
  readonly store: Pick<JobChanges & JobReads, 'retry' | 'readJob'>
  readonly methods: Pick<Methods, 'find'>
  readonly findJobs: Pick<FindJobs, 'get'>
  changed(jobs: readonly ChangedJob[]): void
}

export interface RetryJobRequest {
  readonly namespace: string
  readonly jobId: JobId
  /** Empty: each call is one of its own. */
  readonly requestId: string
  /** It requires this version from now on; empty: none; undefined: the one of before. */
  readonly requiredVersion: string | undefined
}

/** The job as it stands then. */
export type RetryJob = (caller: Caller, request: RetryJobRequest) => Promise<Job>

/** A key changes hands while it is asked for: each time somebody has got on. */
const KEY_ROUNDS = 3

export function createRetryJob(options: RetryJobOptions): RetryJob {
  const { store, findJobs, changed } = options
  return async (caller, request) => {
    const { namespace, jobId } = request
    const owner = mayForOthers(caller, 'jobs.change') ? undefined : caller.user
    await checkMethod(options, caller, owner, request)
    for (let round = 0; round < KEY_ROUNDS; round++) {
      const retried = await retryConflicts(() => store.retry({ ...request, owner, by: caller }))
      switch (retried.kind) {
        case 'missing':
          throw jobNotFound(jobId)
        case 'bulk-job':
          throw bulkNotRetryable(jobId)
        case 'not-retryable':
          throw jobNotRetryable(jobId, retried.state)
        case 'key-taken': {
          const { holder } = retried
          if (holder === undefined) continue
          const isSeen = mayForOthers(caller, 'jobs.read') || holder.owner === caller.user
          throw keyTaken(holder.key, isSeen ? holder : undefined)
        }
        case 'retried':
          changed([retried.job])
          return findJobs.get(caller, namespace, jobId, 'basic')
        case 'repeated':
          return findJobs.get(caller, namespace, jobId, 'basic')
      }
    }
    throw overloaded(`retries of job ${jobId}`)
  }
}

async function checkMethod(
  { store, methods }: RetryJobOptions,
  caller: Caller,
  owner: string | undefined,
  { namespace, jobId }: RetryJobRequest,
): Promise<void> {
  const job = await store.readJob(namespace, jobId, owner)
  if (job === undefined) throw jobNotFound(jobId)
  const refusal = refusesAnew(caller, owner, await methods.find(namespace, job.method))
  if (refusal !== undefined) throw refusal
}
