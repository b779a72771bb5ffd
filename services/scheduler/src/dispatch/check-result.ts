/**
 * What an executor says of an attempt's end, checked before it is recorded: whatever is recorded can be read by every client
 * (guarantee 6). One that does not fit is the fault of the executor's software; it fails the attempt, not the stream.
 */
import { isUtf8 } from 'node:buffer'
import { addressFault, contentTypeFault, isJsonType } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import type { AttemptResult } from '../domain/attempt-result.ts'
import type { RunningJob } from '../domain/held-job.ts'
import type { Payload } from '../domain/start-command.ts'

const SHA256_BYTES = 32

/** The result, or the failure that takes its place. */
export function checkedResult(job: RunningJob, result: AttemptResult): AttemptResult {
  const fault = faultOf(job, result)
  if (fault === undefined) return result
  const bare = { ...result, additionalResult: undefined }
  // Any other end is the handler's own, and stands.
  return result.outcome.kind === 'succeeded' ? { ...bare, outcome: refused(fault) } : bare
}

function faultOf(job: RunningJob, { outcome, additionalResult }: AttemptResult) {
  const result = outcome.kind === 'succeeded' ? outcome.result : undefined
  const fault = result && payloadFault(result)
  if (fault !== undefined) return `The result ${fault}.`
  if (additionalResult === undefined) return undefined
  if (!job.options?.wantAdditionalResult) return 'There is an additional result nobody asked for.'
  const additionalFault = payloadFault(additionalResult)
  return additionalFault && `The additional result ${additionalFault}.`
}

function payloadFault({ inline, address, type, sha256 }: Payload): string | undefined {
  if (type !== '') {
    const fault = contentTypeFault(type)
    if (fault !== undefined) return `has a content type that ${fault}`
  }
  if (address !== undefined) {
    if (address === '') return 'has an empty address'
    const fault = addressFault(address)
    if (fault !== undefined) return `has an address that ${fault}`
    const isChecksum = sha256 === undefined || sha256.byteLength === SHA256_BYTES
    return isChecksum ? undefined : `has a sha256 that must be ${SHA256_BYTES} bytes`
  }
  if (inline === undefined) return undefined
  if (inline.byteLength > LIMITS.inlineBytesMax) {
    return `has ${inline.byteLength} bytes inline, more than ${LIMITS.inlineBytesMax}, and belongs into temp storage`
  }
  return isJsonType(type) && !holdsJson(inline)
    ? 'is not JSON, though its content type says so'
    : undefined
}

/**
 * No bytes at all are no value, as clients read them. Parsing costs half a microsecond for a small result, and less than
 * anything written in JavaScript that builds nothing.
 */
function holdsJson(bytes: Uint8Array): boolean {
  if (bytes.byteLength === 0) return true
  if (!isUtf8(bytes)) return false
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
    return true
  } catch {
    return false
  }
}

function refused(detail: string): AttemptResult['outcome'] {
  const error = {
    brief: 'The executor sent a result that cannot be taken.',
    detail,
    reason: 'RESULT_REFUSED',
    retryable: false,
  }
  return { kind: 'failed', error }
}
