import {
  CancelOutcome,
  JobState,
  type Payload,
  type Completion as WireCompletion,
} from '@offstage/proto/jobs'
import { OffstageError } from '../grpc/mod.ts'
import type { KnownCodecs } from '../jobs/codec.ts'
import { decodeValue, JSON_TYPE } from '../jobs/payload.ts'
import { unwrapCause } from '../jobs/wrapped-report.ts'
import { isWrappedType } from '../jobs/wrapped-type.ts'
import type { CancelOutcomeName, Completion, JobFault } from './completion.ts'
import { decodeRead } from './decode.ts'
import type { JobMessage } from './events.ts'
import { resultReplaced, resultUnreadable } from './job-errors.ts'
import type { Session } from './session.ts'

/** What a failed job without a recorded error says; a scheduler always records one. */
const NO_FAULT: JobFault = { brief: 'the job failed', detail: '', reason: '' }

/** Whether the value of a payload came along; else it is in temp storage. */
export function isInline(payload: Payload | undefined): boolean {
  return payload?.source?.$case !== 'address'
}

/** Whether the value of a payload came along and takes nothing to be read but its content type. */
export function isPlain(payload: Payload | undefined): boolean {
  return isInline(payload) && !isWrappedType(payload?.contentType ?? '')
}

/**
 * A value that came along as it is; `null` for none (row A4). Only for one that is plain.
 * @throws OffstageError RESULT_UNREADABLE where it is not what it says it is.
 */
export function plainValue(jobId: string, payload: Payload | undefined): unknown {
  if (payload?.source?.$case !== 'inline') return null
  const { contentType } = payload
  try {
    return decodeValue(payload.source.value, contentType) ?? null
  } catch (error) {
    return unreadable(jobId, contentType, error)
  }
}

/** Whatever an executor in another language has put there: what cannot be read is told with the job's name. */
async function decoded(
  { jobId, codecs }: ReadResult,
  bytes: Uint8Array,
  contentType: string,
): Promise<unknown> {
  try {
    return (await decodeRead(codecs, bytes, contentType)) ?? null
  } catch (error) {
    return unreadable(jobId, contentType, error)
  }
}

function unreadable(jobId: string, contentType: string, error: unknown): never {
  if (!(error instanceof SyntaxError)) throw error
  throw resultUnreadable(jobId, contentType || JSON_TYPE, error)
}

/** Whose result is read, and what may have wrapped it. */
export interface ReadResult {
  readonly jobId: string
  readonly codecs: KnownCodecs
}

/** Where a value lies in temp storage; undefined where it came along, or there is none. */
export function addressOf(payload: Payload | undefined): string | undefined {
  return payload?.source?.$case === 'address' ? payload.source.value : undefined
}

/**
 * A value of a job's end wherever it is; the caller does not notice (rows J3, L4). Where it is to be taken, it is deleted
 * by being read.
 * @throws OffstageError RESULT_REPLACED where something else was put in its place, RESULT_UNREADABLE where it is not what it says it
 *   is, CODEC_UNKNOWN, CODEC_FAILED.
 */
export async function fetchedValue(
  session: Session,
  of: ReadResult,
  payload: Payload | undefined,
  taken = false,
): Promise<unknown> {
  const { jobId } = of
  if (isPlain(payload)) return plainValue(jobId, payload)
  const source = payload?.source
  if (payload === undefined || source === undefined) return null
  if (source.$case === 'inline') return decoded(of, source.value, payload.contentType)
  const address = source.value
  try {
    // The payload says what the bytes are; how they were labelled in storage is another matter.
    const { storage } = session
    const bytes = await (taken
      ? storage.takeBytes(address, payload.sha256)
      : storage.getBytes(address, payload.sha256))
    return await decoded(of, bytes, payload.contentType)
  } catch (error) {
    return refuseReplaced(jobId, address, error)
  }
}

/** Something else lies where the result was put. */
export function refuseReplaced(jobId: string, address: string, error: unknown): never {
  const isReplaced = error instanceof OffstageError && error.reason === 'ETAG_MISMATCH'
  throw isReplaced ? resultReplaced(jobId, address, error) : error
}

/** How the cancel ended, where one was asked for (row J10). */
export function cancelOutcomeFrom(outcome: CancelOutcome): CancelOutcomeName | undefined {
  switch (outcome) {
    case CancelOutcome.CANCEL_OUTCOME_NEVER_STARTED:
      return 'never-started'
    case CancelOutcome.CANCEL_OUTCOME_STOPPED:
      return 'stopped'
    case CancelOutcome.CANCEL_OUTCOME_FINISHED_ANYWAY:
      return 'finished-anyway'
    default:
      return undefined
  }
}

/** Why the job failed, unwrapped where that was wrapped by what is known; only for a failed one. */
export function faultFrom({ error }: WireCompletion, codecs: KnownCodecs): JobFault {
  if (error === undefined) return NO_FAULT
  const { brief, detail, reason } = error
  return unwrapCause(codecs, { brief, detail, reason })
}

/** What says that payloads were left out, where they were (row J23). */
export function hiddenFrom({ payloadHidden }: { readonly payloadHidden?: boolean }) {
  return payloadHidden ? { payloadHidden: true as const } : {}
}

/** The end of a job as it is shown to callers (row L3). */
export function completionFrom<R>(
  wire: WireCompletion,
  result: R | null,
  additionalResult: unknown,
  messages: readonly JobMessage[],
  codecs: KnownCodecs,
): Completion<R> {
  const ended = {
    resultAddress: addressOf(wire.result),
    additionalResultAddress: addressOf(wire.additionalResult),
    isCompleted: true as const,
    additionalResult,
    messages,
    cancelOutcome: cancelOutcomeFrom(wire.cancelOutcome),
    finishTime: wire.finishTime,
    ...hiddenFrom(wire),
  }
  switch (wire.state) {
    case JobState.JOB_STATE_SUCCEEDED:
      // Where the job is a procedure R is void, and null is what callers get for it (row A4).
      return { ...ended, state: 'succeeded', result: result as R, error: null }
    case JobState.JOB_STATE_CANCELED:
      return { ...ended, state: 'canceled', result, error: null }
    default:
      return { ...ended, state: 'failed', result, error: faultFrom(wire, codecs) }
  }
}
