/** Bounds of temp storage: those callers see are in the table all services share; some deployments may change are in the configuration. */
import { LIMITS } from '@offstage/proto/limits'

const SECOND_MS = 1000

/** Values up to this size live in the metadata row, larger ones in a blob. */
export const INLINE_BYTES_MAX = 64 * 1024
/** One chunk of a put; over it: INVALID_FIELD. */
export const PUT_CHUNK_BYTES_MAX = LIMITS.putChunkBytesMax
/** One chunk of a read. */
export const READ_CHUNK_BYTES_MAX = LIMITS.readChunkBytesMax

/** How often the scheduler is asked whether a job needs a value, and how long one may be there before a job names it. */
export const JOB_VALUE_LOOK_MS = 24 * 60 * 60 * 1000
export const TIME_TO_LIVE_MS_DEFAULT = 24 * 3600 * SECOND_MS
export const SCOPE_LEASE_MS_DEFAULT = 60 * SECOND_MS
export const CONTENT_TYPE_DEFAULT = 'application/octet-stream'
/** So long at least a repeat of a put is known for one by its request id. */
export const REQUEST_KEPT_MS = 10 * 60 * SECOND_MS
export const NAMESPACE_DEFAULT = 'default'
export const PAGE_SIZE_DEFAULT = 50

/** Quotas (row S5); a put or reservation that would go over one is refused with QUOTA_EXCEEDED. */
export interface Quotas {
  /** Bytes one owner may hold in one namespace. */
  readonly ownerBytesMax: number
  /** Values and reserved addresses one owner may hold in one namespace. */
  readonly ownerValuesMax: number
  /** Bytes of all owners in one namespace; puts at the same moment may pass it by what they bring. */
  readonly namespaceBytesMax: number
}

/** What one owner may have open, in all namespaces; opened at the same moment, more may come to be by as many. Over it: QUOTA_EXCEEDED. */
export interface OpenLimits {
  readonly ownerScopesMax: number
  readonly ownerUploadsMax: number
}

/** What an owner and its namespace hold. */
export interface Usage {
  readonly ownerBytes: number
  readonly ownerValues: number
  readonly namespaceBytes: number
}

/** Names the first quota that is passed; undefined when all are kept. */
export function quotaPassed(usage: Usage, quotas: Quotas): string | undefined {
  if (usage.ownerBytes > quotas.ownerBytesMax) return `${quotas.ownerBytesMax} bytes for an owner`
  if (usage.ownerValues > quotas.ownerValuesMax)
    return `${quotas.ownerValuesMax} values for an owner`
  if (usage.namespaceBytes > quotas.namespaceBytesMax) {
    return `${quotas.namespaceBytesMax} bytes for a namespace`
  }
  return undefined
}
