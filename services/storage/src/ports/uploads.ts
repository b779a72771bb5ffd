/** Uploads that can go on after a break. */
import type { Namespace, UploadId } from '../domain/identifier.ts'
import type { WriteFault } from '../domain/put.ts'
import type { Reach } from '../domain/reach.ts'
import type { PutHeader, StoredValue } from '../domain/temp-value.ts'

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
