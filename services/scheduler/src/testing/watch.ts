import type { JobServiceClient } from '@offstage/proto/jobs'
import { type JobEvent, WatchJobsRequest, type WatchJobsResponse } from '@offstage/proto/jobs'
import { complete, type Draft } from './draft.ts'

export interface OpenWatch extends Disposable {
  readonly events: JobEvent[]
  readonly ended: boolean
  say(request: Draft<WatchJobsRequest>): void
  /** No more requests: the stream ends when every job has. */
  halfClose(): void
}

export function openWatch(client: JobServiceClient): OpenWatch {
  const stream = client.watchJobs()
  const events: JobEvent[] = []
  let ended = false
  stream.on('data', (response: WatchJobsResponse) => events.push(...response.events))
  stream.on('error', () => {
    ended = true
  })
  stream.on('end', () => {
    ended = true
  })
  return {
    events,
    get ended() {
      return ended
    },
    say: (request) => stream.write(complete<WatchJobsRequest>(WatchJobsRequest, request)),
    halfClose: () => stream.end(),
    [Symbol.dispose]: () => stream.cancel(),
  }
}
