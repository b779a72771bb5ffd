/** Where the bytes of larger values are. */

/** Where the bytes of larger values are. Every method may throw a BlobStoreError. */
export interface BlobStore {
  /** A writer of a new, empty blob, named after who writes it (see BlobWriters). */
  create(writerId: string): Promise<BlobWriter>
  /** A writer that goes on after `offset` bytes; what lies beyond is cut off. Undefined: no such blob, or shorter. */
  resume(blobId: string, offset: number): Promise<BlobWriter | undefined>
  /** A reader, which keeps its bytes even when the blob is deleted meanwhile. Undefined: no such blob, and the store is the one that was bound. */
  open(blobId: string): Promise<BlobReader | undefined>
  /** Idempotent. */
  delete(blobId: string): Promise<void>
  /** All blobs, those being written too, in batches. */
  list(): AsyncIterable<string[]>
  /** Bytes there is room for. */
  room(): Promise<number>
  /** Takes the store for a database, before anything else is asked of it. */
  bind(identity: StoreIdentity): Promise<BindOutcome>
}

/** A database, as the store of its blobs knows it. */
export interface StoreIdentity {
  readonly databaseId: string
  /** The store that has its blobs; undefined: none yet. */
  readonly storeId: string | undefined
}

export type BindOutcome =
  | { readonly kind: 'bound'; readonly storeId: string }
  | { readonly kind: 'of-another' }
  /** Nobody's, though the database has a store: this is not it. */
  | { readonly kind: 'unbound' }

/** Disposing closes it and keeps what was written. */
export interface BlobWriter extends AsyncDisposable {
  readonly blobId: string
  /** Resolves when the bytes have been taken; they may be reused then. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when all that was written survives a power loss; rejects when the blob has been removed meanwhile. */
  sync(): Promise<void>
}

export interface BlobReader extends AsyncDisposable {
  readonly size: number
  /** Chunks of 256 KiB, the last may be shorter, read as they are taken. */
  chunks(offset: number): AsyncIterable<Buffer>
}

/** `full`: no room; `unavailable`: the medium does not work. Neither has lost anything stored before. */
export class BlobStoreError extends Error {
  override readonly name = 'BlobStoreError'
  readonly kind: 'full' | 'unavailable'
  constructor(kind: 'full' | 'unavailable', message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
