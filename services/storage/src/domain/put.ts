/** A put on its way: what is asked for, what it may meet, what came of it. */
import type { Address, Namespace, ScopeId, UploadId } from './identifier.ts'
import type { PageCursor } from './page-cursor.ts'
import type { StoredValue } from './temp-value.ts'

/** The bytes of a value once they have arrived. */
export type Body =
  | { readonly kind: 'inline'; readonly bytes: Buffer; readonly sha256: Buffer }
  | {
      readonly kind: 'blob'
      readonly blobId: string
      readonly size: number
      readonly sha256: Buffer
      /** Checksums of its parts (see part-sums.ts). */
      readonly partSums: Buffer
      /** Who holds it until the commit (see BlobWriters); undefined: an upload, whose row does. */
      readonly writerId: string | undefined
    }

/** A put whose bytes are safe. */
export interface PutCommand {
  /** Undefined: a new one. */
  readonly address: Address | undefined
  /** For a new address. */
  readonly newAddress: Address
  readonly namespace: Namespace
  readonly owner: string
  /** Undefined: that of the address, or none. */
  readonly scope: ScopeId | undefined
  /** Undefined: that of the address, or a day. */
  readonly timeToLiveMs: number | undefined
  /** It is to be the own of a job, at a new address. */
  readonly forJob: boolean
  readonly contentType: string
  readonly version: string
  readonly body: Body
  /** Remembered in the same transaction; refused when it was before. */
  readonly request: (PutRequest & { readonly keptMs: number }) | undefined
  /** Ends this upload in the same transaction, and remembers it. */
  readonly upload:
    | { readonly id: UploadId; readonly writer: string; readonly keptMs: number }
    | undefined
}

/** Names a put for its repeats. */
export interface PutRequest {
  /** The user the put acts for. */
  readonly asker: string
  /** As the put names it. */
  readonly namespace: Namespace
  readonly id: string
}

/** A put that is done, as it was answered. */
export interface FinishedPut {
  readonly value: StoredValue
  /** Undefined: a new one was asked for. */
  readonly askedAddress: Address | undefined
}

export interface ReserveCommand {
  readonly address: Address
  readonly namespace: Namespace
  readonly owner: string
  readonly scope: ScopeId | undefined
  readonly timeToLiveMs: number | undefined
  /** Without one every call makes a new one. */
  readonly requestId?: string | undefined
}

/** Why a write did not happen; nothing was changed. */
export type WriteFault =
  | { readonly kind: 'address-gone' }
  | { readonly kind: 'scope-missing' }
  | { readonly kind: 'scope-closed' }
  | { readonly kind: 'upload-lost' }
  | { readonly kind: 'writer-lost' }
  | { readonly kind: 'request-id-used' }
  | { readonly kind: 'over-quota'; readonly quota: string }

/** Where the bytes of a value are: in the row, or in a blob whose parts have these checksums. */
export interface StoredBytes {
  readonly inlineBytes: Buffer | null
  readonly partSums: Buffer | null
}

export type Claim =
  | ({ readonly kind: 'claimed'; readonly value: StoredValue } & StoredBytes)
  /** Somebody else is reading it to delete it. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'absent' }

export interface ListQuery {
  readonly namespace: Namespace
  /** Undefined: all owners. */
  readonly owner: string | undefined
  /** Undefined: all scopes. */
  readonly scope: ScopeId | undefined
  readonly after: PageCursor | undefined
  readonly limit: number
}
