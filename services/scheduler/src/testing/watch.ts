import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { JobServiceClient } from '@offstage/proto/jobs'
import { type JobEvent, WatchJobsRequest, type WatchJobsResponse } from '@offstage/proto/jobs'
import { until } from '@offstage/testkit'
import { complete, type Draft } from './draft.ts'
import { faults } from './faults/faults.ts'

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

/** Until all have ended; what breaks off because the database fails goes on where it was, as the SDK has it. */
export async function watchToEnd(client: JobServiceClient, jobIds: readonly string[]) {
  const lastMessages = new Map(jobIds.map((jobId) => [jobId, 0]))
  const events: JobEvent[] = []
  const sizes: number[] = []
  for (;;) {
    using watch = openWatch(client)
    const add = [...lastMessages].map(([jobId, afterSequence]) => ({ jobId, afterSequence }))
    watch.say({ add })
    watch.halfClose()
    await until(() => watch.ended, { timeoutMs: 20_000 })
    events.push(...watch.events)
    sizes.push(...watch.sizes)
    const { error } = watch
    if (faults === undefined || error?.code !== status.UNAVAILABLE) return { events, sizes, error }
    for (const { jobId, event } of watch.events) {
      if (event?.$case === 'message') lastMessages.set(jobId, event.value.sequence)
      if (event?.$case === 'completion') lastMessages.delete(jobId)
    }
  }
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
