/** Faults of the disks below, the service's and the database's, as callers are told of them. */
import { sqlStateOf } from '@offstage/kit/database'
import { Refusal } from '@offstage/kit/grpc'
import type { Logger } from '@offstage/kit/telemetry'
import { BlobStoreError } from '../ports.ts'
import { refusalFromBlobStore } from '../refusals.ts'

const DISK_FULL = '53100'

/** What to throw in place of `error`; the cause is logged here, once, for the refusal hides it. */
export function told(error: unknown, log: Logger): unknown {
  const damage = [error, error instanceof Error ? error.cause : undefined].find(isDamage)
  if (damage !== undefined) log.error({ err: damage }, 'a value, or part of an upload, is damaged')
  const fault = blobFaultOf(error)
  if (fault === undefined) return error
  log.error({ err: error }, 'temp storage cannot use its disk')
  return refusalFromBlobStore(fault)
}

const isDamage = (error: unknown) => error instanceof Refusal && error.reason === 'VALUE_DAMAGED'

function blobFaultOf(error: unknown): BlobStoreError | undefined {
  if (error instanceof BlobStoreError) return error
  if (sqlStateOf(error) !== DISK_FULL) return undefined
  return new BlobStoreError('full', "the database's disk is full", { cause: error })
}

/** One answer. */
export async function telling<T>(log: Logger, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw told(error, log)
  }
}

/** A stream of answers. */
export async function* tellingAll<T>(log: Logger, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    throw told(error, log)
  }
}
