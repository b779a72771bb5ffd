/** What the storage service needs from outside, and the shapes that pass there. */
import type { ForeignAct } from './domain/foreign-act.ts'
import type { Address, Namespace, ScopeId, UploadId } from './domain/identifier.ts'
import type { Quotas, Usage } from './domain/limits.ts'
import type { PageCursor } from './domain/page-cursor.ts'
import type {
  Claim,
  FinishedPut,
  ListQuery,
  PutCommand,
  PutRequest,
  ReserveCommand,
  StoredBytes,
  WriteFault,
} from './domain/put.ts'
import type { Reach } from './domain/reach.ts'
import type { PutHeader, StoredValue, TempValue } from './domain/temp-value.ts'

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

/** Begins blobs such that no sweep, of whatever service, takes them while they are written. */
export interface BlobWriters {
  create(): Promise<BlobWriter>
  /** Its row is gone: nothing new is begun under this id. */
  forget(writerId: string): void
  /** Retires what is not needed any more, and those whose lease has run out. */
  turn(): Promise<void>
}

/** Rows of those that write blobs. */
export interface WriterStore {
  register(id: string, leaseMs: number): Promise<void>
  /** Those of them that are still there. */
  renew(ids: readonly string[]): Promise<string[]>
  /** No row can come to point to a new blob of theirs any more. */
  retire(ids: readonly string[]): Promise<void>
  retireLapsed(): Promise<void>
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

/** The metadata of values. What has ended is not there, whether swept or not, and neither is what is beyond somebody's reach. */
export interface ValueStore {
  find(address: Address, reach?: Reach): Promise<TempValue | undefined>
  read(
    address: Address,
    reach?: Reach,
  ): Promise<({ readonly value: TempValue } & StoredBytes) | undefined>
  /** The address that lives for its request id, perhaps with a value by now, or a new one. */
  reserve(command: ReserveCommand): Promise<TempValue | WriteFault>
  /** One transaction: visible whole, or not at all. */
  put(command: PutCommand): Promise<StoredValue | WriteFault>
  /** The put of this request, while it is remembered. */
  finishedPut(request: PutRequest): Promise<FinishedPut | undefined>
  /** False when it was not there. */
  delete(address: Address): Promise<boolean>
  /** Newest first; `next` is the cursor of the next page, undefined on the last. */
  list(query: ListQuery): Promise<{ values: TempValue[]; next: PageCursor | undefined }>
  usage(namespace: Namespace, owner: string): Promise<Usage>
  /** Takes a value for one reader that will delete it; ends by itself after `leaseMs`. */
  claim(address: Address, claim: string, leaseMs: number): Promise<Claim>
  /** False when the claim has been lost. */
  renewClaim(address: Address, claim: string, leaseMs: number): Promise<boolean>
  releaseClaim(address: Address, claim: string): Promise<void>
  /** Deletes the value that was claimed; an address its user reserved stays reserved. False: replaced or deleted meanwhile. */
  consume(address: Address, claim: string): Promise<boolean>
}

export interface Scope {
  readonly id: ScopeId
  readonly namespace: Namespace
  readonly owner: string
  readonly state: 'open' | 'closed'
}

export interface ScopeStore {
  /** The scope that is open for its request id, or a new one. */
  open(scope: {
    id: ScopeId
    namespace: Namespace
    owner: string
    displayName: string
    leaseMs: number
    requestId?: string | undefined
  }): Promise<{ id: ScopeId; leaseMs: number } | WriteFault>
  find(id: ScopeId, reach?: Reach): Promise<Scope | undefined>
  /** The new end; undefined when it has ended. */
  keepAlive(id: ScopeId): Promise<Date | undefined>
  /** Nothing can be put into it any more, and all that was put can be seen. Deletes up to `limit` values of it. Idempotent. */
  close(id: ScopeId, limit: number): Promise<GoneValue[]>
  /** Up to `limit` values of a closed scope. */
  deleteValues(id: ScopeId, limit: number): Promise<GoneValue[]>
}

export interface Upload {
  readonly kind: 'unfinished'
  readonly id: UploadId
  readonly namespace: Namespace
  readonly owner: string
  readonly header: PutHeader
  readonly blobId: string
  readonly received: number
  /** Of what was received (see part-sums.ts). */
  readonly partSums: Buffer
  readonly expireTime: Date
}

/** An upload whose value is stored. */
export interface FinishedUpload {
  readonly kind: 'finished'
  /** As stored then. */
  readonly value: StoredValue
  readonly forgetTime: Date
}

export interface UploadStore {
  start(upload: {
    id: UploadId
    namespace: Namespace
    owner: string
    header: PutHeader
    blobId: string
    idleMsMax: number
  }): Promise<Date | WriteFault>
  find(id: UploadId, reach?: Reach): Promise<Upload | undefined>
  /** While it is remembered. */
  finished(id: UploadId, reach?: Reach): Promise<FinishedUpload | undefined>
  /** Makes `writer` the only one; false while another call that lives holds it. */
  acquire(id: UploadId, writer: string, leaseMs: number): Promise<boolean>
  /** Renews the lease and keeps how far it has come, which puts off its end if it is farther; false when it has ended or is not the writer's any more. */
  advance(
    id: UploadId,
    writer: string,
    progress: { received: number; partSums: Buffer; leaseMs: number; idleMsMax: number },
  ): Promise<boolean>
  /** What was received from there on is lost. */
  cutBack(id: UploadId, writer: string, left: { received: number; partSums: Buffer }): Promise<void>
  release(id: UploadId, writer: string): Promise<void>
  delete(id: UploadId): Promise<void>
}

export interface GoneValue {
  readonly address: Address
  readonly namespace: Namespace
}

/**
 * The database's clock, when it was put back: due times lie further ahead than they can then, and what
 * nobody keeps alive would outlive its end by as much.
 */
export interface ClockStore {
  /** By how much the clock is behind what was seen of it before; 0: it is not. */
  putBackMs(): Promise<number>
  /** Brings up to `limit` due times back to what they can be at most; resolves to how many. */
  bringBack(limit: number): Promise<number>
  /** The clock is right as it is, if it was not put back further than what was seen. */
  accept(putBackMs: number): Promise<void>
}

/** What ends by itself. Each takes at most `limit`, so that no statement is long. */
export interface SweepStore {
  identity(): Promise<StoreIdentity>
  /** Takes this store for the database's, unless it has one; resolves to the one it has. */
  adoptStore(storeId: string): Promise<string>
  closeExpiredScopes(limit: number): Promise<number>
  /** Of values past their end, and of closed scopes. */
  deleteEndedValues(limit: number): Promise<GoneValue[]>
  deleteEndedUploads(limit: number): Promise<number>
  forgetPuts(limit: number): Promise<number>
  forgetScopes(closedForMs: number, limit: number): Promise<number>
  forgetUsage(limit: number): Promise<number>
  garbageBlobs(limit: number): Promise<string[]>
  forgetGarbage(blobIds: readonly string[]): Promise<void>
  /** Has them come after all other garbage. */
  postponeGarbage(blobIds: readonly string[]): Promise<void>
  /** Those of the blobs that neither a value nor an upload points to, and nobody can be writing. */
  unreferenced(blobIds: readonly string[]): Promise<string[]>
}

/** A value that a removed job has left. */
export interface DiscardedValue {
  /** By which it is said that it is gone. */
  readonly id: bigint
  readonly address: string
  readonly namespace: string
  readonly owner: string
}

/** What the scheduler knows of the values of jobs. Rejects where it cannot be asked. */
export interface JobValues {
  /** Those of the addresses that a job names. */
  needed(addresses: readonly Address[]): Promise<ReadonlySet<string>>
  /** The first of those that removed jobs have left, when `done` are gone. */
  discarded(done: readonly bigint[], limit: number): Promise<readonly DiscardedValue[]>
}

/** Values that are the own of jobs, as upkeep looks at them. */
export interface JobValueStore {
  isAny(): Promise<boolean>
  /** Those of them that are the own of a job, and whose they are said to be. */
  deleteDiscarded(values: readonly DiscardedValue[]): Promise<GoneValue[]>
  /** Those for which the scheduler is to be asked. */
  due(limit: number): Promise<Address[]>
  /** A job needs them: the scheduler is to be asked again later. */
  keep(addresses: readonly Address[]): Promise<void>
  deleteNeedless(addresses: readonly Address[]): Promise<GoneValue[]>
}

export type ValueEvent = 'reserved' | 'put' | 'deleted' | 'expired'

/** Tells others; all of it may get lost. */
export interface Hints {
  value(event: ValueEvent, value: GoneValue): void
}

/** All of it, as the use cases are given it. */
export interface StorageParts {
  readonly values: ValueStore
  readonly scopes: ScopeStore
  readonly uploads: UploadStore
  readonly blobs: BlobStore
  readonly writers: BlobWriters
  readonly hints: Hints
  readonly quotas: Quotas
  /** The largest value taken. */
  readonly valueBytesMax: number
  readonly uploadIdleMsMax: number
  readonly acts: ActStore
  /** Says that there may be blobs to remove. */
  garbageMade(): void
}

export interface RecordedAct extends ForeignAct {
  /** Grows from each to the next. */
  readonly id: number
  readonly time: Date
}

/** Keeps a record of what administrators do with what is not theirs. */
export interface ActStore {
  record(act: ForeignAct): Promise<void>
  /** Newest first, those below `before` of the page; what is undefined selects nothing. */
  list(
    namespace: string,
    filter: {
      readonly user: string | undefined
      readonly from: Date | undefined
      readonly before: Date | undefined
    },
    page: { readonly size: number; readonly before: number | undefined },
  ): Promise<RecordedAct[]>
  /** Removes at most `limit` that are older; how many it removed. */
  forget(olderMs: number, limit: number): Promise<number>
}
