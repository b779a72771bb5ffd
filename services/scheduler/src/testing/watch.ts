import { Metadata, type ServiceError } from '@grpc/grpc-js'
import type { JobServiceClient } from '@offstage/proto/jobs'
import { type JobEvent, WatchJobsRequest, type WatchJobsResponse } from '@offstage/proto/jobs'
import { complete, type Draft } from './draft.ts'

export interface OpenWatch extends Disposable {
  readonly events: JobEvent[]
  readonly ended: boolean
  /** Why it ended, unless in order. */
  readonly error: ServiceError | undefined
  /** How many events each message brought. */
  readonly sizes: readonly number[]
  say(request: Draft<WatchJobsRequest>): void
  /** No more requests: the stream ends when every job has. */
  halfClose(): void
}

export function openWatch(client: JobServiceClient, user = 'dev'): OpenWatch {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  const stream = client.watchJobs(metadata)
  const events: JobEvent[] = []
  const sizes: number[] = []
  let ended = false
  let fault: ServiceError | undefined
  stream.on('data', (response: WatchJobsResponse) => {
    events.push(...response.events)
    sizes.push(response.events.length)
  })
  stream.on('error', (error: ServiceError) => {
    fault = error
    ended = true
  })
  stream.on('end', () => {
    ended = true
  })
  return {
    events,
    sizes,
    get error() {
      return fault
    },
    get ended() {
      return ended
    },
    say: (request) => stream.write(complete<WatchJobsRequest>(WatchJobsRequest, request)),
    halfClose: () => stream.end(),
    [Symbol.dispose]: () => stream.cancel(),
  }
}
