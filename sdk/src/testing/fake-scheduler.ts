/** For tests: a scripted scheduler, jobs in memory, behind a real gRPC server on a free port. */
import { once } from 'node:events'
import {
  type Metadata,
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { encodeErrorDetails } from '@offstage/proto/error-details'
import {
  type CancelJobsRequest,
  type Completion,
  type CountJobsRequest,
  type DeleteJobsRequest,
  type Executor,
  Job,
  type JobAttempt,
  type JobCount,
  type JobFilter,
  JobServiceService,
  type JobSpec,
  JobState,
  type ListJobsRequest,
  NamespaceServiceService,
  type RetryJobRequest,
  type RetryJobsRequest,
  type StartJobOutcome,
  type StartJobRequest,
  type StartJobResponse,
  type StartJobsRequest,
  type StartJobsResponse,
  WaitCause,
  type WaitJobsRequest,
  type WaitJobsResponse,
  type WatchJobsRequest,
  type WatchJobsResponse,
} from '@offstage/proto/jobs'
import { Status } from '@offstage/proto/rpc'
import type { FakeJob } from './fake-jobs.ts'
import { addHealth, listenLocally, type Refused, refusalOf } from './fake-server.ts'
import { FakeWatches } from './fake-watches.ts'

export class FakeScheduler extends FakeWatches implements AsyncDisposable {
  /** Requests as they came, by method. */
  readonly starts: StartJobRequest[] = []
  readonly bulkStarts: StartJobsRequest[] = []
  readonly waits: WaitJobsRequest[] = []
  readonly cancels: { jobId: string; reason: string; cascade: boolean }[] = []
  readonly retries: RetryJobRequest[] = []
  readonly filters: (JobFilter | undefined)[] = []
  readonly metadata: Metadata[] = []
  /** What is asked of many jobs at once, by the RPC; answered with a job, or a count of 3. */
  readonly bulk: [string, CancelJobsRequest | RetryJobsRequest | DeleteJobsRequest][] = []
  /** By how much its clock is ahead. */
  skewMs = 0
  /** How often records and messages were read. */
  reads = 0
  /** Refusals to answer before anything else, in turn; undefined lets one call through. */
  refusals: (Refused | undefined)[] = []
  /** Decides how a job fares at its start: ended, refused, or neither. */
  onStart: (spec: JobSpec) => Completion | Refused | undefined = () => undefined
  /** Decides whether the answer of a single start is lost, after the job was made. */
  onStarted: () => Refused | undefined = () => undefined
  /** Jobs shown as to be canceled. */
  readonly toBeCanceled = new Set<string>()
  readonly pinned = new Set<string>()
  /** What every record tells of its attempts. */
  attempts: JobAttempt[] = []
  counts: JobCount[] = []
  readonly counted: CountJobsRequest[] = []
  executors: Executor[] = []
  /** How many ends one answer of WaitJobs has room for. */
  endsPerAnswer = Number.POSITIVE_INFINITY
  /** Calls are taken, and never answered. */
  holdsAnswers = false
  readonly #server = new Server()
  #nextId = 0
  address = ''

  async listen(): Promise<this> {
    this.#server.addService(JobServiceService, {
      startJob: this.#unary(this.#startJob),
      startJobs: this.#unary(this.#startJobs),
      waitJobs: this.#unary(this.#waitJobs),
      getJob: this.#unary(({ jobId }: { jobId: string }) => {
        this.reads += 1
        return { job: this.#record(jobId) }
      }),
      listJobs: this.#unary(this.#listJobs),
      countJobs: this.#unary((request: CountJobsRequest) => {
        this.counted.push(request)
        return { counts: this.counts }
      }),
      cancelJob: this.#unary(this.#cancelJob),
      cancelJobs: this.#unary((request: CancelJobsRequest) => this.#inBulk('cancel', request)),
      retryJobs: this.#unary((request: RetryJobsRequest) => this.#inBulk('retry', request)),
      deleteJobs: this.#unary((request: DeleteJobsRequest) => this.#inBulk('delete', request)),
      retryJob: this.#unary(this.#retryJob),
      pinJob: this.#unary(({ jobId }: { jobId: string }) => {
        this.pinned.add(jobId)
        return {}
      }),
      unpinJob: this.#unary(({ jobId }: { jobId: string }) => {
        this.pinned.delete(jobId)
        return {}
      }),
      deleteJob: this.#unary(({ jobId }: { jobId: string }) => {
        this.jobs.delete(jobId)
        return {}
      }),
      explainJob: this.#unary(() => ({
        cause: WaitCause.WAIT_CAUSE_KEY,
        text: 'another job holds its key',
        holders: ['job-0'],
        ahead: 2,
        aheadIsMinimum: false,
        startEstimate: {
          earliest: { seconds: 3n, nanos: 0 },
          latest: { seconds: 7n, nanos: 500_000_000 },
        },
        executors: [],
      })),
      listJobMessages: this.#unary(this.#listJobMessages),
      watchJobs: (call: ServerDuplexStream<WatchJobsRequest, WatchJobsResponse>) =>
        this.serveWatch(call),
    })
    this.#server.addService(NamespaceServiceService, {
      // Pages of one.
      listExecutors: this.#unary(({ pageToken }: { pageToken: string }) => {
        const at = Number(pageToken || 0)
        const more = at + 1 < this.executors.length
        return {
          executors: this.executors.slice(at, at + 1),
          nextPageToken: more ? String(at + 1) : '',
        }
      }),
    })
    addHealth(this.#server, () => Date.now() + this.skewMs)
    this.address = await listenLocally(this.#server)
    return this
  }

  /** Adds a job as if somebody else had started it. */
  addJob(method = 'a'): FakeJob {
    return this.#create({ method } as JobSpec, 'somebody')
  }

  #unary<Req, Res>(handler: (request: Req, metadata: Metadata) => Res) {
    return ({ request, metadata }: ServerUnaryCall<Req, Res>, callback: sendUnaryData<Res>) => {
      this.metadata.push(metadata)
      const refusal = this.refusals.shift()
      if (refusal !== undefined) return callback(refusalOf(refusal), null)
      try {
        const answer = handler.call(this, request, metadata)
        if (!this.holdsAnswers) callback(null, answer)
      } catch (error) {
        callback(error as Error, null)
      }
    }
  }

  #create(spec: JobSpec, owner: string): FakeJob {
    const id = `job-${++this.#nextId}`
    const state = JobState.JOB_STATE_QUEUED
    const job = { id, spec, owner, state, completion: undefined, progress: undefined, messages: [] }
    this.jobs.set(id, job)
    return job
  }

  #start(spec: JobSpec, metadata: Metadata): StartJobOutcome {
    const known = [...this.jobs.values()].find(
      ({ spec: { requestId } }) => requestId === spec.requestId,
    )
    const fate = known === undefined ? this.onStart(spec) : undefined
    if (fate !== undefined && 'code' in fate) {
      const bytes = encodeErrorDetails({ ...fate, message: 'refused' })
      return { outcome: { $case: 'error', value: Status.decode(bytes) } }
    }
    const job = known ?? this.#create(spec, String(metadata.get('offstage-user')[0] ?? ''))
    if (fate !== undefined) this.end(job.id, fate)
    const { id, state, completion } = job
    const started = { jobId: id, state, completion, existing: known !== undefined }
    return { outcome: { $case: 'started', value: started } }
  }

  #startJob(request: StartJobRequest, metadata: Metadata): StartJobResponse {
    this.starts.push(request)
    if (request.job === undefined) throw new Error('a start without a job')
    const { outcome } = this.#start(request.job, metadata)
    const lost = this.onStarted()
    if (lost !== undefined) throw refusalOf(lost)
    if (outcome?.$case === 'started') return { job: outcome.value }
    throw refusalOf({ code: outcome?.value.code ?? 13, reason: 'QUEUE_FULL' })
  }

  #startJobs(request: StartJobsRequest, metadata: Metadata): StartJobsResponse {
    this.bulkStarts.push(request)
    return { outcomes: request.jobs.map((spec) => this.#start(spec, metadata)) }
  }

  #waitJobs(request: WaitJobsRequest): WaitJobsResponse {
    this.waits.push(request)
    let room = this.endsPerAnswer
    const statuses = request.jobIds.map((jobId) => {
      const { state, completion } = this.jobs.get(jobId) ?? {
        state: 0 as const,
        completion: undefined,
      }
      if (completion !== undefined) room -= 1
      return { jobId, state, completion: room < 0 ? undefined : completion }
    })
    return { statuses, satisfied: statuses.every(({ completion }) => completion !== undefined) }
  }

  #record(id: string): Job {
    const job = this.jobs.get(id)
    if (job === undefined) throw refusalOf({ code: status.NOT_FOUND, reason: 'JOB_NOT_FOUND' })
    const { state, owner, completion, progress } = job
    const { method, key } = job.spec
    const { params } = job.spec
    const errorBrief = completion?.error?.brief ?? ''
    const head = { jobId: id, rootJobId: id, method, key, state, owner, errorBrief }
    const pinned = this.pinned.has(id)
    const record = Job.fromPartial({ ...head, params, pinned, attempts: this.attempts })
    return { ...record, completion, progress, cancelRequested: this.toBeCanceled.has(id) }
  }

  #inBulk(verb: string, request: CancelJobsRequest | RetryJobsRequest | DeleteJobsRequest) {
    this.bulk.push([verb, request])
    const unused = { canceledCount: 0, more: false }
    if (request.validateOnly) {
      const selection = { count: 3n, more: true, sampleJobIds: ['job-3'] }
      return { ...unused, job: undefined, selection }
    }
    const { id, state } = this.addJob(`offstage.${verb}_jobs`)
    const job = { jobId: id, state, completion: undefined, existing: false }
    return { ...unused, job, selection: undefined }
  }

  #retryJob(request: RetryJobRequest) {
    this.retries.push(request)
    const { jobId } = request
    const job = this.jobOf(jobId)
    job.completion = undefined
    job.state = JobState.JOB_STATE_QUEUED
    return { job: this.#record(jobId) }
  }

  #listJobs({ filter, pageSize, pageToken }: ListJobsRequest) {
    this.filters.push(filter)
    const ids = [...this.jobs.keys()].reverse()
    const from = Number(pageToken || 0)
    const to = from + (pageSize || 50)
    const jobs = ids.slice(from, to).map((id) => this.#record(id))
    return { jobs, nextPageToken: to < ids.length ? String(to) : '' }
  }

  #cancelJob(request: { jobId: string; reason: string; cascade: boolean }) {
    this.cancels.push(request)
    const { state } = this.#record(request.jobId)
    return { state, outcome: 0 }
  }

  #listJobMessages(request: { jobId: string; afterSequence: number; pageToken: string }) {
    this.reads += 1
    const from = Number(request.pageToken || request.afterSequence)
    const after = this.jobOf(request.jobId).messages.slice(from)
    // Small pages, so that paging is walked.
    const more = after.length > 2
    return { messages: after.slice(0, 2), nextPageToken: more ? String(from + 2) : '' }
  }

  /** Stops serving; open calls fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown()
    await Promise.all(
      this.watches.map(({ call }) => (call.closed ? undefined : once(call, 'close'))),
    )
  }
}
