/** The refusals of temp storage, each worded once. */
import { status } from '@grpc/grpc-js'
import { Refusal } from '@offstage/kit/grpc'
import type { BodyFault } from './domain/body-check.ts'
import { PUT_CHUNK_BYTES_MAX } from './domain/limits.ts'
import type { WriteFault } from './domain/put.ts'
import type { BlobStoreError } from './ports/blobs.ts'

export function invalidField(field: string, description: string): Refusal {
  const violations = [{ field, description }]
  return new Refusal({ reason: 'INVALID_FIELD', message: `${field}: ${description}`, violations })
}

/** Also for what belongs to others: it does not exist for the caller (row S4). */
export function valueNotFound(address: string): Refusal {
  const message = `there is no value at ${address}: never put, deleted or expired`
  return new Refusal({ reason: 'VALUE_NOT_FOUND', message, metadata: { address } })
}

export function nothingPutYet(address: string): Refusal {
  const message = `${address} is reserved, and no value has been put there yet`
  return new Refusal({ reason: 'VALUE_NOT_FOUND', message, metadata: { address } })
}

export function valueBusy(
  address: string,
  doing = 'another caller is reading it to delete it, and it may be gone in a moment',
): Refusal {
  return new Refusal({
    reason: 'STORAGE_UNAVAILABLE',
    message: `${address} cannot be read now: ${doing}`,
    metadata: { address },
    retryDelayMs: 1_000,
  })
}

export function valueUnsteady(address: string): Refusal {
  return valueBusy(address, 'it is replaced again and again')
}

export function scopeNotFound(scope: string): Refusal {
  const message = `there is no open scope ${scope}`
  return new Refusal({ reason: 'SCOPE_NOT_FOUND', message, metadata: { scope } })
}

export function uploadNotFound(upload: string): Refusal {
  const message = `there is no unfinished upload ${upload}; start it again`
  return new Refusal({ reason: 'UPLOAD_NOT_FOUND', message, metadata: { upload } })
}

export function uploadBusy(upload: string): Refusal {
  return new Refusal({
    reason: 'STORAGE_UNAVAILABLE',
    message: `another call is still writing to ${upload}`,
    metadata: { upload },
    retryDelayMs: 1_000,
  })
}

export function namespaceNotFound(namespace: string): Refusal {
  const message = `there is no namespace ${namespace}, or you may not see it`
  return new Refusal({ reason: 'NAMESPACE_NOT_FOUND', message, metadata: { namespace } })
}

export function ownerNotAllowed(owner: string): Refusal {
  const message = `only services may put values for another user (${owner})`
  return new Refusal({ reason: 'PERMISSION_DENIED', message })
}

export function offsetInvalid(message: string, expected: number): Refusal {
  const metadata = { expected: String(expected) }
  return new Refusal({ reason: 'OFFSET_INVALID', message, metadata })
}

export function valueChanged(address: string): Refusal {
  return new Refusal({
    reason: 'ETAG_MISMATCH',
    message: `the value at ${address} does not have the SHA-256 asked for (any more)`,
    metadata: { address },
  })
}

/** `of`: an address, or an upload. */
export function bytesDamaged(of: string, problem: string): Refusal {
  const message = `the bytes of ${of} are damaged: they ${problem}`
  return new Refusal({ reason: 'VALUE_DAMAGED', message, metadata: { address: of } })
}

/** The damage stays the service's affair: the caller sends again what it has. */
export function prefixDamaged(upload: string, received: number, expected: number): Refusal {
  const cause = bytesDamaged(upload, `are ${received}, and ${expected} of them as they came`)
  const message = `of ${received} bytes of the upload ${expected} are sound; go on from there`
  const metadata = { expected: String(expected) }
  return new Refusal({ reason: 'OFFSET_INVALID', message, metadata, cause })
}

export function noRoom(bytes: number): Refusal {
  const message = `temp storage has no room for ${bytes} bytes; nothing stored before is affected`
  return new Refusal({ reason: 'STORAGE_FULL', message })
}

export function overQuota(quota: string): Refusal {
  return new Refusal({
    reason: 'QUOTA_EXCEEDED',
    message: `this would pass the quota of ${quota}; delete values, close scopes or finish uploads first`,
    metadata: { quota },
  })
}

export function requestIdReused(
  requestId: string,
  what = 'put',
  field = 'header.request_id',
): Refusal {
  const message = `request id "${requestId}" was used for another ${what}`
  const violations = [{ field, description: `was used for another ${what}` }]
  return new Refusal({ reason: 'REQUEST_ID_REUSED', message, violations })
}

export function refusalFromBody(fault: BodyFault): Refusal {
  switch (fault.kind) {
    case 'chunk-too-large':
      return invalidField('chunk', `has ${fault.bytes} bytes, at most ${PUT_CHUNK_BYTES_MAX} fit`)
    case 'size-mismatch':
      return invalidField(
        'header.size',
        `announces ${fault.announced} bytes, and ${fault.received} came`,
      )
    case 'value-too-large':
      return new Refusal({
        reason: 'VALUE_TOO_LARGE',
        message: `the value has more than the ${fault.sizeMax} bytes this service takes`,
        metadata: { max: String(fault.sizeMax) },
      })
    case 'checksum-mismatch':
      return new Refusal({
        reason: 'CHECKSUM_MISMATCH',
        message: `the SHA-256 of the bytes is ${fault.received}, announced was ${fault.announced}`,
      })
  }
}

/** `named`: what the request named, for the texts. */
export function refusalFromWrite(
  fault: WriteFault,
  named: {
    address?: string | undefined
    scope?: string | undefined
    upload?: string
    requestId?: string | undefined
  },
): Refusal {
  switch (fault.kind) {
    case 'address-gone':
      return valueNotFound(named.address ?? '')
    case 'scope-missing':
      return scopeNotFound(named.scope ?? '')
    case 'scope-closed':
      return new Refusal({
        reason: 'SCOPE_CLOSED',
        message: `the scope ${named.scope} is closed; its values are gone`,
        metadata: { scope: named.scope ?? '' },
      })
    case 'upload-lost':
      return uploadNotFound(named.upload ?? '')
    case 'writer-lost':
      return new Refusal({
        reason: 'STORAGE_UNAVAILABLE',
        message: 'this service was taken for dead while the value came; nothing was stored',
        retryDelayMs: 1_000,
      })
    case 'request-id-used':
      return requestIdReused(named.requestId ?? '')
    case 'over-quota':
      return overQuota(fault.quota)
  }
}

/** The path in the text of the error is for the log, not for callers. */
export function refusalFromBlobStore(error: BlobStoreError): Refusal {
  if (error.kind === 'full') {
    const message = 'temp storage has no room for the value; nothing stored before is affected'
    return new Refusal({ reason: 'STORAGE_FULL', message, cause: error })
  }
  const message = 'temp storage cannot reach its disk at the moment'
  const code = status.UNAVAILABLE
  return new Refusal({
    reason: 'STORAGE_UNAVAILABLE',
    code,
    message,
    retryDelayMs: 1_000,
    cause: error,
  })
}

export function overloaded(): Refusal {
  return new Refusal({
    reason: 'OVERLOADED',
    message: 'too many calls of yours are waiting; nothing of this call was kept',
    retryDelayMs: 500,
  })
}
