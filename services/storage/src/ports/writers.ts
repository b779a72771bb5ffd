/** Those that write blobs, so that nobody takes what is being written for garbage. */
import type { BlobWriter } from './blobs.ts'

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
