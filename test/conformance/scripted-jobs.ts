/** Jobs that handlers start: each runs until a scenario ends it. */
import { randomUUID } from 'node:crypto'
import { bidiStream, unary } from '@offstage/kit/grpc'
import { msFrom } from '@offstage/proto/durations'
import {
  Completion,
  type JobEvent,
  JobServiceService,
  type JobSpec,
  JobState,
  StartedJob,
  type StartJobRequest,
  type StartJobResponse,
  type WaitJobsRequest,
  type WaitJobsResponse,
  type WatchJobsRequest,
  WatchJobsResponse,
} from '@offstage/proto/jobs'

const WAIT_MS = 30_000

export interface ScriptedJob {
  readonly jobId: string
  readonly spec: JobSpec
  /** `authorization` of the start; empty for none. */
  readonly bearer: string
  /** It succeeds with this, as JSON. */
  end(result: unknown): void
}

interface Running extends ScriptedJob {
  completion: Completion | undefined
  readonly ended: Promise<void>
}

export function scriptedJobs() {
  const started: Running[] = []
  const find = (id: string) => started.find(({ jobId }) => jobId === id)
  const startJob = unary<StartJobRequest, StartJobResponse>(
    'jobs.start',
    ({ job: spec }, { metadata }) => {
      if (spec === undefined) throw new Error('a start without a job')
      const { promise: ended, resolve } = Promise.withResolvers<void>()
      const bearer = String(metadata.get('authorization')[0] ?? '')
      const known = started.find((each) => each.spec.requestId === spec.requestId)
      const job: Running = known ?? {
        ...{ jobId: randomUUID(), spec, bearer, ended, completion: undefined },
        end(result) {
          job.completion = Completion.fromPartial({
            state: JobState.JOB_STATE_SUCCEEDED,
            result: {
              source: { $case: 'inline', value: Buffer.from(JSON.stringify(result)) },
              contentType: 'application/json',
            },
          })
          resolve()
        },
      }
      if (known === undefined) started.push(job)
      const { jobId, completion } = job
      const state = completion?.state ?? JobState.JOB_STATE_RUNNING
      return { job: StartedJob.fromPartial({ jobId, state, completion }) }
    },
  )
  const waitJobs = unary<WaitJobsRequest, WaitJobsResponse>(
    'jobs.read',
    async ({ jobIds, timeout }, { signal }) => {
      const ends = Promise.all(jobIds.map((id) => find(id)?.ended))
      const over = AbortSignal.any([signal, AbortSignal.timeout(msFrom(timeout) ?? WAIT_MS)])
      await Promise.race([ends, new Promise((resolve) => over.addEventListener('abort', resolve))])
      const statuses = jobIds.map((jobId) => {
        const job = find(jobId)
        const running = job && JobState.JOB_STATE_RUNNING
        const completion = job?.completion
        return { jobId, state: completion?.state ?? running ?? 0, completion }
      })
      return { statuses, satisfied: statuses.every(({ completion }) => completion !== undefined) }
    },
  )
  const watchJobs = bidiStream<WatchJobsRequest, WatchJobsResponse>(
    'jobs.read',
    async ({ requests, send }) => {
      const tell = (jobId: string, event: JobEvent['event']) =>
        send(WatchJobsResponse.fromPartial({ events: [{ jobId, event }] }))
      for await (const { add } of requests) {
        for (const { jobId } of add) {
          const job = find(jobId)
          tell(jobId, { $case: 'state', value: job ? JobState.JOB_STATE_RUNNING : 0 })
          void job?.ended.then(
            () => job.completion && tell(jobId, { $case: 'completion', value: job.completion }),
          )
        }
      }
    },
  )
  const { startJob: start, waitJobs: wait, watchJobs: watch } = JobServiceService
  return {
    started: started as readonly ScriptedJob[],
    service: {
      definition: { startJob: start, waitJobs: wait, watchJobs: watch },
      implementation: { startJob, waitJobs, watchJobs },
    },
  }
}
