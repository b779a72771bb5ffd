/** Faults of the disks below, the service's and the database's, as callers are told of them. */
import { sqlStateOf } from '@offstage/kit/database'
import { Refusal } from '@offstage/kit/grpc'
import type { Logger } from '@offstage/kit/telemetry'
import { BlobStoreError } from '../ports/blobs.ts'
import { refusalFromBlobStore } from '../refusals.ts'

const DISK_FULL = '53100'
/** Every call fails while a disk is full or away, so its faults are one outage until they have ceased for this long. */
const OUTAGE_OVER_MS = 60_000

/** Puts what a caller is to be told in place of what was thrown, whose cause the refusal hides and the log has. */
export interface StorageFaults {
  /** One answer. */
  telling<T>(work: Promise<T>): Promise<T>
  /** A stream of answers. */
  tellingAll<T>(items: AsyncIterable<T>): AsyncGenerator<T>
}

export function createStorageFaults(log: Logger, nowMs = () => performance.now()): StorageFaults {
  const lastMs: { [kind in BlobStoreError['kind']]?: number } = {}

  function told(error: unknown): unknown {
    const damage = [error, error instanceof Error ? error.cause : undefined].find(isDamage)
    if (damage !== undefined) {
      log.error({ err: damage }, 'a value, or part of an upload, is damaged')
    }
    const fault = blobFaultOf(error)
    if (fault === undefined) return error
    const sinceMs = nowMs() - (lastMs[fault.kind] ?? Number.NEGATIVE_INFINITY)
    lastMs[fault.kind] = nowMs()
    const level = sinceMs < OUTAGE_OVER_MS ? 'debug' : 'warn'
    log[level]({ err: error }, 'temp storage cannot use its disk')
    return refusalFromBlobStore(fault)
  }

  return {
    async telling(work) {
      try {
        return await work
      } catch (error) {
        throw told(error)
      }
    },
    async *tellingAll(items) {
      try {
        yield* items
      } catch (error) {
        throw told(error)
      }
    },
  }
}

const isDamage = (error: unknown) => error instanceof Refusal && error.reason === 'VALUE_DAMAGED'

function blobFaultOf(error: unknown): BlobStoreError | undefined {
  if (error instanceof BlobStoreError) return error
  if (sqlStateOf(error) !== DISK_FULL) return undefined
  return new BlobStoreError('full', "the database's disk is full", { cause: error })
}
