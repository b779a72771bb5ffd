import { bidiStream, unary } from '@offstage/kit/grpc'
import {
  Completion,
  JobServiceService,
  JobState,
  type StartJobRequest,
  StartJobResponse,
  type WatchJobsRequest,
  type WatchJobsResponse,
} from '@offstage/proto/jobs'

const { startJob, watchJobs } = JobServiceService

/** The part of the job service that handlers with child jobs need: starts, and ends on demand. */
export class FakeJobs {
  readonly starts: StartJobRequest[] = []
  /** The callers of the starts. */
  readonly users: string[] = []
  readonly #ended = Promise.withResolvers<void>()

  /** Ends all children as succeeded. */
  endChildren(): void {
    this.#ended.resolve()
  }

  /** To be served beside the executor service. */
  get service() {
    return {
      definition: { startJob, watchJobs },
      implementation: {
        startJob: unary<StartJobRequest, StartJobResponse>((request, { caller }) => {
          this.starts.push(request)
          this.users.push(caller.user)
          const jobId = `child-${this.starts.length}`
          const state = JobState.JOB_STATE_QUEUED
          return StartJobResponse.fromPartial({ job: { jobId, state } })
        }),
        watchJobs: bidiStream<WatchJobsRequest, WatchJobsResponse>(async ({ requests, send }) => {
          for await (const { add } of requests) {
            void this.#ended.promise.then(() =>
              send({ events: add.map(({ jobId }) => ({ jobId, event: ended })) }),
            )
          }
        }),
      },
    }
  }
}

const ended = {
  $case: 'completion' as const,
  value: Completion.fromPartial({
    state: JobState.JOB_STATE_SUCCEEDED,
    result: { source: { $case: 'inline', value: Buffer.from('7') } },
  }),
}
