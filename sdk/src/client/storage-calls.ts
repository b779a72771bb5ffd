import type { Codec } from '../jobs/codec.ts'

/** A value in temp storage as it is described (row S1). */
export interface StoredValue {
  /** Opaque; what every other call takes. */
  readonly address: string
  readonly namespace: string
  /** The user it belongs to. */
  readonly owner: string
  /** Bytes; 0 for a reserved address without a value. */
  readonly size: number
  readonly contentType: string
  /** SHA-256 of the bytes in hex; empty without a value. */
  readonly sha256: string
  readonly createTime?: Date
  /** When it will be deleted; not set where its scope decides. */
  readonly expireTime?: Date
  /** The scope it lives in; empty for none (row S2). */
  readonly scope: string
  /** Reserved, and no value put yet (row S3). */
  readonly reserved: boolean
}

/**
 * What can be put: JSON for most values; the bytes themselves for an ArrayBuffer, its views, and a stream of them; a text as it
 * is where `contentType` is `text/…`. What JSON would lose (a Map, a NaN, bytes within, …) is refused with a TypeError that
 * names where it is, unless the codec is CBOR. A stream passes no wrapper.
 */
export type PutSource = AsyncIterable<Uint8Array> | unknown

/** Where and how long a value lives. */
export interface PutOptions {
  /** Replaces the value there as a whole (row S3). Default: a new address. */
  readonly address?: string
  /**
   * Default: JSON for values, `application/octet-stream` for bytes and streams. A text put under `text/…` is stored as it
   * is, not as JSON.
   */
  readonly contentType?: string
  /**
   * How the value becomes bytes (row J22), those under a content type too, which the wrapped value then tells. Default that of the
   * client, in a handler that of its method.
   */
  readonly codec?: Codec
  /** Default: the client's scope; an empty text for none. */
  readonly scope?: string
  /** Default 1 day, at most 30 days; not used in a scope. In milliseconds. */
  readonly timeToLiveMs?: number
  /** Who it will belong to; only services may name another than themselves. */
  readonly owner?: string
  /**
   * It is to be the own of a job: it lives for a day, and as long as a job names its address as its parameters or a result. Not with
   * `address`, `scope` or `timeToLiveMs`. What large parameters and results are put with. Default false.
   */
  readonly forJob?: boolean
  readonly signal?: AbortSignal
}

/**
 * A value being read: an open call, until the last byte was taken. Whoever does not read on leaves the loop or disposes
 * it (`await using`).
 */
export interface ValueStream extends AsyncDisposable {
  readonly value: StoredValue
  /** Its bytes, read no faster than they are taken; an interrupted read goes on where it was. To be read once. */
  readonly chunks: AsyncIterableIterator<Uint8Array, void, undefined>
}

/** A lifetime for values (row S2): they are deleted when it is closed or its owner is gone. */
export interface Scope extends AsyncDisposable {
  /** Names it in starts and puts. */
  readonly id: string
  /** Aborted when the scope was lost: its lease could not be renewed in time. */
  readonly signal: AbortSignal
  /** Deletes its values and ends it. Idempotent. */
  close(): Promise<void>
}

/** What reading calls take. */
export interface CallOptions {
  readonly signal?: AbortSignal
}

/** What calls take that read a value whole. */
export interface ReadOptions extends CallOptions {
  /** What the value is, whatever it was put as. Default: what it was put as. */
  readonly contentType?: string
  /** Whose wrappers may be undone besides those of the client (row J22). */
  readonly codec?: Codec
}

/** Which values to list. */
export interface ListOptions extends CallOptions {
  /** Only those of this scope. Default: all the caller may see. */
  readonly scope?: string
}

/** What a scope is opened with. */
export interface ScopeOptions extends CallOptions {
  /** How long it lives after the last sign of life, 5,000 to 86,400,000 ms. Default 60,000. */
  readonly leaseMs?: number
  /** A name for people, at most 200 characters. */
  readonly displayName?: string
}

/**
 * Temp values and scopes (rows S1 to S4, L4). Only the owner of a value or an administrator can touch it.
 * All calls throw OffstageError: VALUE_NOT_FOUND, STORAGE_FULL, VALUE_TOO_LARGE, VALUE_DAMAGED, ….
 */
export interface StorageCalls {
  /**
   * Stores a value and returns where. Bytes in memory are sent again when the connection breaks, large ones from where
   * they were; a stream cannot be, since it is read once. The checksum is compared.
   */
  put(source: PutSource, options?: PutOptions): Promise<StoredValue>
  /**
   * Reads a value: JSON and CBOR parsed, text as a string, other types as bytes. Wholly in memory. Of one that was wrapped by what is
   * not known here CODEC_UNKNOWN tells; as a stream it can be read all the same.
   */
  get<T = unknown>(address: string, options?: ReadOptions): Promise<T>
  /** Reads a value as a stream, with flat memory (row S1). */
  getStream(address: string, options?: CallOptions): Promise<ValueStream>
  /** Reads a value and deletes it in one step; of two callers one gets it (row L4). Not repeated when it breaks. */
  readAndDelete<T = unknown>(address: string, options?: ReadOptions): Promise<T>
  /** Describes a value or a reserved address. */
  describe(address: string, options?: CallOptions): Promise<StoredValue>
  /** Reserves an address before its value exists (row S3). */
  reserve(options?: Pick<PutOptions, 'scope' | 'timeToLiveMs' | 'signal'>): Promise<StoredValue>
  /** Deletes a value and its address; tells whether there was one. Idempotent. */
  delete(address: string, options?: CallOptions): Promise<boolean>
  /** Lists values, newest first, all pages. */
  list(options?: ListOptions): AsyncIterableIterator<StoredValue>
  /** Opens a scope and keeps it alive until it is closed (row S2). */
  openScope(options?: ScopeOptions): Promise<Scope>
}
