import { status } from '@grpc/grpc-js'
import { decodeErrorDetails } from '@offstage/proto/error-details'
import { Status } from '@offstage/proto/rpc'
import { OffstageError } from '../grpc/mod.ts'
import type { ValueViolation } from '../jobs/check-value.ts'
import { PARAMS_BYTES_MAX } from '../jobs/payload.ts'
import type { CancelOutcomeName, JobFault } from './completion.ts'

/** What the handler of a job threw, as its executor told it. */
class HandlerError extends Error {
  constructor({ brief, detail, reason }: JobFault) {
    super(brief)
    this.name = reason || 'Error'
    this.stack = detail || `${this.name}: ${brief}`
  }
}

/**
 * The job ended with an error (row J14). Only `value()`, `run` and `runAll` throw it; waits answer (row A3). Its cause is what
 * the handler threw, with the stack it had there.
 */
export class JobFailedError extends Error {
  override readonly name: string = 'JobFailedError'
  readonly jobId: string
  readonly method: string
  /** One sentence for the user. */
  readonly brief: string
  /** Stack and causes; empty for those who may not see them. */
  readonly detail: string
  /** An UPPER_SNAKE reason where Offstage itself ended the job, else the class name of what was thrown. */
  readonly reason: string

  constructor(jobId: string, method: string, fault: JobFault) {
    super(`job ${method} (${jobId}) failed: ${fault.brief}`, { cause: new HandlerError(fault) })
    this.jobId = jobId
    this.method = method
    this.brief = fault.brief
    this.detail = fault.detail
    this.reason = fault.reason
  }
}

/** The job was canceled, so there is no result to return (row L3). */
export class JobCanceledError extends Error {
  override readonly name: string = 'JobCanceledError'
  readonly jobId: string
  readonly method: string
  /** How the cancel ended (row J10). */
  readonly outcome: CancelOutcomeName | undefined

  constructor(jobId: string, method: string, outcome: CancelOutcomeName | undefined) {
    super(`job ${method} (${jobId}) was canceled`)
    this.jobId = jobId
    this.method = method
    this.outcome = outcome
  }
}

/** As the scheduler says it where one job is asked for. */
export function jobNotFound(jobId: string): OffstageError {
  return new OffstageError({
    code: status.NOT_FOUND,
    reason: 'JOB_NOT_FOUND',
    message: `there is no job ${jobId}, or the caller may not see it`,
  })
}

/** The job is for this caller to see, what came of it is not (row J23). */
export function payloadHidden(jobId: string): OffstageError {
  return new OffstageError({
    code: status.PERMISSION_DENIED,
    reason: 'PAYLOAD_HIDDEN',
    message: `job ${jobId} succeeded; its result is for its owner and administrators`,
    metadata: { jobId },
  })
}

/** What lies where the job's result was put is no longer that (row L4). */
export function resultReplaced(
  jobId: string,
  address: string,
  cause: OffstageError,
): OffstageError {
  return new OffstageError({
    code: status.FAILED_PRECONDITION,
    reason: 'RESULT_REPLACED',
    message: `what job ${jobId} put at ${address} was replaced since; storage.get() reads what is there now`,
    metadata: { jobId, address },
    cause,
  })
}

/** What the job left says it is JSON and is not; `offstage wait` writes it out as it is. */
export function resultUnreadable(
  jobId: string,
  contentType: string,
  cause: SyntaxError,
): OffstageError {
  return new OffstageError({
    code: status.DATA_LOSS,
    reason: 'RESULT_UNREADABLE',
    message: `the result of job ${jobId} cannot be read as ${contentType}: ${cause.message}`,
    metadata: { jobId, contentType },
    cause,
  })
}

/** As the scheduler says it where it knows the schema of the method (row J2). */
export function paramsInvalid(
  method: string,
  violations: readonly ValueViolation[],
): OffstageError {
  const list = violations.map(({ field, description }) => `${field}: ${description}`).join('; ')
  return new OffstageError({
    code: status.INVALID_ARGUMENT,
    reason: 'PARAMS_INVALID',
    message: `the parameters do not fit ${method}: ${list}`,
    violations,
  })
}

/** Refused before any byte is hashed or sent (row J3). */
export function paramsTooLarge(method: string, bytes: number): OffstageError {
  const description = `${bytes} bytes, at most ${PARAMS_BYTES_MAX} (1 GiB) are taken; put them into temp storage as a stream, and pass the address`
  return new OffstageError({
    code: status.INVALID_ARGUMENT,
    reason: 'PARAMS_TOO_LARGE',
    message: `the parameters of ${method} are too large: ${description}`,
    violations: [{ field: 'params', description }],
  })
}

/** The refusal of one job of a bulk start. */
export function errorFromOutcome(refusal: Status): OffstageError {
  const details = decodeErrorDetails(Status.encode(refusal).finish())
  return new OffstageError({ ...details, reason: details.reason ?? 'INTERNAL' })
}
