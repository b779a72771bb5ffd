/** For tests: how jobs end. */
import { Completion, JobState } from '@offstage/proto/jobs'
import { encodeValue } from '../jobs/payload.ts'

/** A job that ended well. */
export function succeeded(result?: unknown): Completion {
  const encoded = encodeValue(result)
  return Completion.fromPartial({
    state: JobState.JOB_STATE_SUCCEEDED,
    result: encoded && { source: { $case: 'inline', value: encoded.bytes } },
    finishTime: new Date(0),
  })
}

/** A job whose result is in temp storage. */
export function succeededAt(address: string, sha256?: Buffer, contentType?: string): Completion {
  const result = { source: { $case: 'address', value: address } as const, sha256, contentType }
  return Completion.fromPartial({ state: JobState.JOB_STATE_SUCCEEDED, result })
}

export function failed(brief: string): Completion {
  const error = { brief, detail: `${brief}\n at`, reason: 'RangeError' }
  return Completion.fromPartial({ state: JobState.JOB_STATE_FAILED, error })
}

export function canceled(): Completion {
  return Completion.fromPartial({ state: JobState.JOB_STATE_CANCELED, cancelOutcome: 2 })
}
