/**
 * What is left of a job for whoever may see it and not its payloads (row J23): what it is called, where it stands and why it
 * failed in one sentence stay; what it was given, what came of it and what it says of itself go.
 */
import type { Completion, Job, JobError, JobMessage, JobStanding, Progress } from './job.ts'

/** How much of a job exists for a caller. */
export type Sight = 'nothing' | 'job' | 'payload'

/** What a schema says of a value may have the value in it: executors make it the brief. */
export const BRIEFS_OF_PAYLOAD: ReadonlyMap<string, string> = new Map([
  ['PARAMS_INVALID', 'The parameters do not fit.'],
  ['LABEL_INVALID', 'The labels of the method have no value for it.'],
  ['LIMIT_KEY_INVALID', 'The limits of the method have no value for it.'],
  ['RESULT_INVALID', 'The result does not fit.'],
  ['RESULT_NOT_SERIALIZABLE', 'The result cannot travel.'],
])

export function jobSeen(job: Job, sight: Sight): Job {
  if (sight === 'payload') return job
  const failure = job.completion?.error ?? job.lastError
  return {
    ...standingSeen(job, sight),
    params: undefined,
    lastError: job.lastError && briefOf(job.lastError),
    attempts: job.attempts?.map((each) =>
      failure !== undefined && each.errorBrief === failure.brief
        ? { ...each, errorBrief: briefOf(failure).brief }
        : each,
    ),
    progress: job.progress && progressSeen(job.progress, sight),
    heartbeatData: undefined,
    payloadHidden: true,
  }
}

export function standingSeen<T extends JobStanding>(standing: T, sight: Sight): T {
  if (sight === 'payload' || standing.completion === undefined) return standing
  return { ...standing, completion: completionSeen(standing.completion, sight) }
}

export function completionSeen(completion: Completion, sight: Sight): Completion {
  if (sight === 'payload') return completion
  return {
    ...completion,
    result: undefined,
    additionalResult: undefined,
    error: completion.error && briefOf(completion.error),
    payloadHidden: true,
  }
}

export function progressSeen(progress: Progress, sight: Sight): Progress {
  return sight === 'payload' ? progress : { ...progress, text: '', extra: undefined }
}

export function messageSeen(message: JobMessage, sight: Sight): JobMessage {
  return sight === 'payload' ? message : { ...message, text: '', extra: undefined }
}

function briefOf(error: JobError): JobError {
  const { brief, reason } = error
  return { ...error, brief: BRIEFS_OF_PAYLOAD.get(reason) ?? brief, detail: '' }
}
