import { bidiStream, unary } from '@offstage/kit/grpc'
import {
  Completion,
  JobServiceService,
  JobState,
  type StartJobRequest,
  StartJobResponse,
  type WaitJobsRequest,
  type WaitJobsResponse,
  type WatchJobsRequest,
  type WatchJobsResponse,
} from '@offstage/proto/jobs'

const { startJob, waitJobs, watchJobs } = JobServiceService

/** The part of the job service that handlers with child jobs need: starts, and ends on demand. */
export class FakeJobs {
  readonly starts: StartJobRequest[] = []
  /** The callers of the starts. */
  readonly users: string[] = []
  /** What they brought as authorization, if anything. */
  readonly bearers: string[] = []
  /** Starts are refused with it while set. */
  refusal: Error | undefined
  readonly #ended = Promise.withResolvers<void>()
  #haveEnded = false

  /** Ends all children as succeeded. */
  endChildren(): void {
    this.#haveEnded = true
    this.#ended.resolve()
  }

  /** To be served beside the executor service. */
  get service() {
    return {
      definition: { startJob, waitJobs, watchJobs },
      implementation: {
        startJob: unary<StartJobRequest, StartJobResponse>('jobs.start', (request, context) => {
          if (this.refusal !== undefined) throw this.refusal
          const { actor, metadata } = context
          this.starts.push(request)
          this.bearers.push(String(metadata.get('authorization')[0] ?? ''))
          this.users.push(actor.user)
          const jobId = `child-${this.starts.length}`
          const state = JobState.JOB_STATE_QUEUED
          return StartJobResponse.fromPartial({ job: { jobId, state } })
        }),
        waitJobs: unary<WaitJobsRequest, WaitJobsResponse>('jobs.read', ({ jobIds }) => {
          const statuses = this.#haveEnded
            ? jobIds.map((jobId) => ({ jobId, state: COMPLETION.state, completion: COMPLETION }))
            : jobIds.map((jobId) => ({
                jobId,
                state: JobState.JOB_STATE_QUEUED,
                completion: undefined,
              }))
          return { statuses, satisfied: this.#haveEnded }
        }),
        watchJobs: bidiStream<WatchJobsRequest, WatchJobsResponse>(
          'jobs.read',
          async ({ requests, send }) => {
            for await (const { add } of requests) {
              void this.#ended.promise.then(() =>
                send({ events: add.map(({ jobId }) => ({ jobId, event: ended })) }),
              )
            }
          },
        ),
      },
    }
  }
}

const COMPLETION = Completion.fromPartial({
  state: JobState.JOB_STATE_SUCCEEDED,
  result: { source: { $case: 'inline', value: Buffer.from('7') } },
})
const ended = { $case: 'completion' as const, value: COMPLETION }
