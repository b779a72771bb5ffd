import { Metadata } from '@grpc/grpc-js'
import { JobServiceClient } from '@offstage/proto/jobs'
import { StorageServiceClient } from '@offstage/proto/storage'
import { type Channel, callUnary, createChannel, OffstageError } from '../grpc/mod.ts'

/** The two services a client speaks to, one HTTP/2 connection each. */
export interface Connection {
  readonly scheduler: Channel
  readonly storage: Channel
  readonly jobs: JobServiceClient
  readonly values: StorageServiceClient
  /** Ends both connections; calls under way fail. */
  close(): void
}

/** Dials nothing yet. */
export function createConnection(schedulerAddress: string, storageAddress: string): Connection {
  const scheduler = createChannel(schedulerAddress, {
    service: 'the scheduler',
    variable: 'OFFSTAGE_SCHEDULER',
  })
  const storage = createChannel(storageAddress, {
    service: 'the storage service',
    variable: 'OFFSTAGE_STORAGE',
  })
  return {
    scheduler,
    storage,
    jobs: scheduler.client(JobServiceClient),
    values: storage.client(StorageServiceClient),
    close() {
      scheduler.close()
      storage.close()
    },
  }
}

/** A scheduler that does not answer in this time counts as unreachable. */
const REACH_MS = 5_000

/**
 * Makes sure the scheduler can be reached at all: any answer to a health check will do, even one that says it
 * is not ready or knows no such call.
 * @throws OffstageError SERVICE_UNREACHABLE or DEADLINE_EXCEEDED, naming the address and OFFSTAGE_SCHEDULER.
 */
export async function checkReachable({ jobs, scheduler }: Connection): Promise<void> {
  const pass = (bytes: Buffer) => bytes
  try {
    await callUnary<Buffer, Buffer>(
      (request, metadata, options, callback) =>
        jobs.makeUnaryRequest(
          '/grpc.health.v1.Health/Check',
          pass,
          pass,
          request,
          metadata,
          options,
          (error, response) => callback(error, response ?? Buffer.alloc(0)),
        ),
      Buffer.alloc(0),
      { deadlineMs: REACH_MS, metadata: new Metadata(), target: scheduler },
    )
  } catch (error) {
    if (!(error instanceof OffstageError) || isUnreachable(error)) throw error
  }
}

function isUnreachable({ reason }: OffstageError): boolean {
  return reason === 'SERVICE_UNREACHABLE' || reason === 'DEADLINE_EXCEEDED'
}
