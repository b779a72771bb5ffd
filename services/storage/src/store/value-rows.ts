import type { Address, Namespace, ScopeId } from '../domain/identifier.ts'
import type { StoredBytes } from '../domain/put.ts'
import type { TempValue } from '../domain/temp-value.ts'

/** All but the bytes. */
export const VALUE_COLUMNS = `address, namespace, owner, scope, expire_time, create_time, version, size,
  content_type, sha256, blob_id`

export interface ValueRow {
  address: Address
  namespace: Namespace
  owner: string
  scope: ScopeId | null
  expire_time: Date | null
  create_time: Date
  version: string | null
  size: number
  content_type: string
  sha256: Buffer | null
  blob_id: string | null
}

export function valueFromRow(row: ValueRow): TempValue {
  const standing = {
    address: row.address,
    namespace: row.namespace,
    owner: row.owner,
    scope: row.scope ?? undefined,
    createTime: row.create_time,
    expireTime: row.expire_time ?? undefined,
  }
  if (row.version === null || row.sha256 === null) return { kind: 'reserved', ...standing }
  return {
    kind: 'stored',
    ...standing,
    version: row.version,
    size: row.size,
    contentType: row.content_type,
    sha256: row.sha256,
    blobId: row.blob_id ?? undefined,
  }
}

export interface BytesRow {
  inline_bytes: Buffer | null
  part_sums: Buffer | null
}

export function bytesFromRow(row: BytesRow): StoredBytes {
  return { inlineBytes: row.inline_bytes, partSums: row.part_sums }
}
