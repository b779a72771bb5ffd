import type { Job, Payload, JobAttempt as WireAttempt } from '@offstage/proto/jobs'
import { decodeBy, type KnownCodecs } from '../jobs/codec.ts'
import { CodecError } from '../jobs/codec-error.ts'
import type { LaneName } from '../jobs/method.ts'
import { laneNameFrom } from '../jobs/policies.ts'
import { unwrapTold } from '../jobs/wrapped-report.ts'
import { addressOf } from './completion-from.ts'
import { type JobInfo, jobInfoFrom } from './job-info.ts'
import { type JobStateName, namesOf } from './job-state.ts'

/** One run of a job's handler (row J23). */
export interface JobAttempt {
  /** From 1. */
  readonly attempt: number
  /** The executor that ran it; empty where that has been gone for 30 days. */
  readonly executorName: string
  readonly executorSessionId: string
  readonly lane: LaneName
  /** When it was assigned, by the database's clock. */
  readonly startTime?: Date
  /** Not set while it runs. */
  readonly finishTime?: Date
  /**
   * `failed`, also where the job tries again, `succeeded` or `canceled`; `queued` where it was handed back or its executor
   * was lost; `running` or `waiting` while it runs.
   */
  readonly outcome: JobStateName
  /** Why it failed, or how it stopped for a cancel; empty otherwise. */
  readonly errorBrief: string
  /** The reason of the error it failed with, such as `HEARTBEAT_DEADLINE_EXCEEDED`; empty for none. */
  readonly errorReason: string
}

/** All that is known of a job: what listings tell, its parameters and its attempts. */
export interface JobRecord extends JobInfo {
  /** What it was started with; undefined where that lies at {@link paramsAddress} or is hidden from the caller, bytes where it is not what it says it is, or wrapped by what is not known here. */
  readonly params: unknown
  /** Where the parameters lie in temp storage, where they were too large to go along. */
  readonly paramsAddress?: string
  /** What its attempts gave `job.heartbeat` last; undefined for none, or where it is hidden from the caller. */
  readonly heartbeatData: unknown
  /** Oldest first, at most the newest 100. */
  readonly attempts: readonly JobAttempt[]
}

export async function jobRecordFrom(job: Job, codecs: KnownCodecs): Promise<JobRecord> {
  const info = jobInfoFrom(job)
  return {
    ...info,
    progress: info.progress && unwrapTold(codecs, info.progress),
    params: job.payloadHidden ? undefined : await paramsValue(job.params, codecs),
    paramsAddress: addressOf(job.params),
    heartbeatData: job.heartbeatData && (await inlineValueOf(job.heartbeatData, codecs)),
    attempts: job.attempts.map(attemptFrom),
  }
}

function paramsValue(params: Payload | undefined, codecs: KnownCodecs): unknown {
  if (params?.source?.$case === 'address') return undefined
  // Nothing at all stands for the default.
  return params?.source === undefined ? {} : inlineValueOf(params, codecs)
}

async function inlineValueOf(
  { source, contentType }: Payload,
  codecs: KnownCodecs,
): Promise<unknown> {
  if (source?.$case !== 'inline') return undefined
  const bytes = source.value
  try {
    return await decodeBy(codecs, bytes, contentType)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof CodecError) return bytes
    throw error
  }
}

function attemptFrom(attempt: WireAttempt): JobAttempt {
  const { executorName, executorSessionId, startTime, finishTime } = attempt
  return {
    attempt: attempt.attempt,
    executorName,
    executorSessionId,
    lane: laneNameFrom(attempt.lane),
    startTime,
    finishTime,
    outcome: namesOf(attempt.outcome).state,
    errorBrief: attempt.errorBrief,
    errorReason: attempt.errorReason,
  }
}
