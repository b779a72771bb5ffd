import type { Address, Namespace, ScopeId, UploadId } from './identifier.ts'

interface Standing {
  readonly address: Address
  readonly namespace: Namespace
  readonly owner: string
  /** Decides when it ends, if set. */
  readonly scope: ScopeId | undefined
  /** When it was reserved, put or replaced, by the database's clock. */
  readonly createTime: Date
  /** When it ends; undefined in a scope, and for the own of a job. */
  readonly expireTime: Date | undefined
}

/** An address that waits for its value (row S3). */
export interface ReservedAddress extends Standing {
  readonly kind: 'reserved'
}

export interface StoredValue extends Standing {
  readonly kind: 'stored'
  /** New with each put. */
  readonly version: string
  readonly size: number
  readonly contentType: string
  readonly sha256: Buffer
  /** Where the bytes are; undefined: in the row. */
  readonly blobId: string | undefined
}

export type TempValue = ReservedAddress | StoredValue

/** What a writer says of a value before its bytes. */
export interface PutHeader {
  readonly namespace: Namespace | undefined
  readonly address: Address | undefined
  readonly contentType: string
  readonly scope: ScopeId | undefined
  readonly timeToLiveMs: number | undefined
  /** It is to be the own of a job. */
  readonly forJob: boolean
  /** Checked when set. */
  readonly sha256: Buffer | undefined
  /** Checked when set. */
  readonly size: number | undefined
  readonly owner: string | undefined
  /** Names the put for its repeats. */
  readonly requestId: string | undefined
}

/** What a writer says of a value after its bytes. */
export interface PutTrailer {
  /** Checked when set. */
  readonly sha256: Buffer | undefined
}

/** Goes on with an upload; what the value will be was told at its start. */
export interface ResumeHeader {
  readonly uploadId: UploadId
  readonly offset: number
  /** What it says once more of the value; undefined where it does not. */
  readonly told: Partial<PutHeader>
}

/** The first message of a put. */
export type PutOpening = (
  | { readonly kind: 'header'; readonly header: PutHeader }
  | { readonly kind: 'resume'; readonly header: ResumeHeader }
) & {
  /** Without the trailer promised the put was cut off. */
  readonly promisesTrailer: boolean
}

/** One message of a put. */
export type PutPart =
  | PutOpening
  | { readonly kind: 'chunk'; readonly bytes: Buffer }
  | { readonly kind: 'trailer'; readonly trailer: PutTrailer }

/** One message of a read: the description, then chunks. */
export type ReadPart =
  | { readonly kind: 'value'; readonly value: StoredValue }
  | { readonly kind: 'chunk'; readonly bytes: Buffer }
