import type { Value } from '@offstage/proto/storage'
import type { StoredValue } from './storage-calls.ts'

/** A value's description as it is shown to callers. */
export function describedFrom(value: Value | undefined): StoredValue {
  if (value === undefined) throw new Error('the storage service answered without a value')
  return {
    address: value.address,
    namespace: value.namespace,
    owner: value.owner,
    size: Number(value.size),
    contentType: value.contentType,
    sha256: value.sha256.toString('hex'),
    createTime: value.createTime,
    expireTime: value.expireTime,
    scope: value.scope,
    reserved: value.reserved,
  }
}
