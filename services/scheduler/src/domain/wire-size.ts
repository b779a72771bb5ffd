/**
 * How many bytes things take in an answer: upper bounds that are cheap to find, so that no answer passes what one gRPC
 * message may hold (16 MiB).
 */
import type { Completion, Job, JobAttempt, JobMessage, JobView, Progress } from './job.ts'
import type { Payload } from './start-command.ts'

/** What the fixed fields of anything take: ids, times, numbers. */
const ENTRY_BYTES = 400
/** A UTF-16 unit as UTF-8. */
const BYTES_PER_CHAR = 3
/** A number in a list takes two characters of JSON and eleven bytes of a Struct. */
const STRUCT_BYTES_PER_CHAR = 6

export function completionBytes(completion: Completion | undefined): number {
  if (completion === undefined) return 0
  const { result, additionalResult, error, unreadable = '' } = completion
  const values = payloadBytes(result) + payloadBytes(additionalResult) + errorBytes(error)
  return ENTRY_BYTES + values + unreadable.length * BYTES_PER_CHAR
}

export function progressBytes(progress: Progress | undefined): number {
  return progress === undefined ? 0 : reportBytes(progress.text, progress.extra)
}

export function messageBytes({ text, extra }: JobMessage): number {
  return reportBytes(text, extra)
}

export function jobBytes(job: Job, view: JobView): number {
  if (view === 'basic') return basicBytes(job)
  const { params, completion, lastError, heartbeatData, attempts = [] } = job
  return (
    basicBytes(job) +
    payloadBytes(params) +
    payloadBytes(heartbeatData) +
    completionBytes(completion) +
    errorBytes(lastError) +
    attempts.reduce((sum, attempt) => sum + attemptBytes(attempt), 0)
  )
}

function basicBytes({ completion, lastError, options, progress, ...job }: Job): number {
  const texts = [job.method, job.key, job.requestId, job.owner, job.traceparent, job.pool]
  texts.push(
    options.displayName ?? '',
    (completion?.error ?? lastError)?.brief ?? '',
    job.cancelReason,
  )
  texts.push(completion?.error?.brief ?? '', completion?.unreadable ?? '', job.unreadable ?? '')
  for (const [name, value] of Object.entries(job.labels)) texts.push(name, value)
  const chars = texts.reduce((sum, text) => sum + text.length, 0)
  const fields = ENTRY_BYTES + texts.length * 4
  return fields + chars * BYTES_PER_CHAR + progressBytes(progress)
}

function attemptBytes({ executorName, errorBrief, errorReason }: JobAttempt): number {
  const chars = executorName.length + errorBrief.length + errorReason.length
  return ENTRY_BYTES + chars * BYTES_PER_CHAR
}

function payloadBytes(payload: Payload | undefined): number {
  return payload === undefined ? 0 : (payload.inline?.byteLength ?? 0) + ENTRY_BYTES
}

function errorBytes(error: Completion['error']): number {
  return error === undefined ? 0 : (error.brief.length + error.detail.length) * BYTES_PER_CHAR
}

function reportBytes(text: string, extra: Record<string, unknown> | undefined): number {
  const extraChars = extra === undefined ? 0 : JSON.stringify(extra).length
  return ENTRY_BYTES + text.length * BYTES_PER_CHAR + extraChars * STRUCT_BYTES_PER_CHAR
}
