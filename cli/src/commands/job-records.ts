/** Reads jobs with all that the scheduler tells of them, which is more than the SDK hands to programs. */
import { type Job, type JobServiceClient, JobState, JobView } from '@offstage/proto/jobs'
import type { ConnectOptions, JobStateName } from '@offstage/sdk'
import { sessionFrom } from '@offstage/sdk/client'
import type { UnaryMethod } from '@offstage/sdk/grpc'
import { type JobRecord, type MessageRecord, messageRecordFrom, recordFrom } from './job-record.ts'

/** As many as the scheduler gives at once, jobs or messages. */
const PAGE = 1_000

/** One job as the scheduler has it. Throws an OffstageError, such as JOB_NOT_FOUND. */
export async function readJob(options: ConnectOptions, jobId: string): Promise<Job> {
  const request = { namespace: namespaceOf(options), jobId, view: JobView.JOB_VIEW_FULL }
  const { job } = await callingScheduler(options, (call) => call((jobs) => jobs.getJob, request))
  if (job === undefined) throw new Error(`the scheduler gave no answer for job ${jobId}`)
  return job
}

/** All messages of a job, in order. */
export async function readMessages(
  options: ConnectOptions,
  jobId: string,
): Promise<readonly MessageRecord[]> {
  const namespace = namespaceOf(options)
  const messages: MessageRecord[] = []
  return callingScheduler(options, async (call) => {
    for (let pageToken = '', more = true; more; more = pageToken !== '') {
      const request = { namespace, jobId, afterSequence: 0, pageSize: PAGE, pageToken }
      const page = await call((jobs) => jobs.listJobMessages, request)
      messages.push(...page.messages.map(messageRecordFrom))
      pageToken = page.nextPageToken
    }
    return messages
  })
}

/** Which jobs are read. */
export interface ListedJobs {
  readonly states: readonly JobStateName[]
  readonly methods: readonly string[]
  /** As text. */
  readonly filter: string
}

/** The newest jobs, at most `limit`. Without results and details of errors, as ListJobs has it. */
export async function readNewestJobs(
  options: ConnectOptions,
  filter: ListedJobs,
  limit: number,
): Promise<readonly JobRecord[]> {
  const listing = {
    namespace: namespaceOf(options),
    filter: {
      states: filter.states.map(stateNamed),
      methods: [...filter.methods],
      key: '',
      owner: '',
      kinds: [],
      parentJobId: '',
      labels: {},
      createdFrom: undefined,
      createdBefore: undefined,
      text: filter.filter,
    },
    view: JobView.JOB_VIEW_BASIC,
  }
  const records: JobRecord[] = []
  return callingScheduler(options, async (call) => {
    for (let pageToken = '', more = true; more; more = pageToken !== '' && records.length < limit) {
      const pageSize = Math.min(limit - records.length, PAGE)
      const page = await call((jobs) => jobs.listJobs, { ...listing, pageSize, pageToken })
      records.push(...page.jobs.map(recordFrom))
      pageToken = page.nextPageToken
    }
    return records
  })
}

type Call = <Req, Res>(
  methodOf: (jobs: JobServiceClient) => UnaryMethod<Req, Res>,
  request: Req,
) => Promise<Res>

/** Does `work` with calls over one connection. */
async function callingScheduler<T>(
  options: ConnectOptions,
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const session = sessionFrom(options)
  const { jobs } = session.connection
  try {
    return await work((methodOf, request) =>
      session.callScheduler(methodOf(jobs).bind(jobs), request),
    )
  } finally {
    session.close()
    session.connection.close()
  }
}

function namespaceOf({ namespace }: ConnectOptions): string {
  return namespace || process.env.OFFSTAGE_NAMESPACE || 'default'
}

function stateNamed(name: JobStateName): JobState {
  return JobState[`JOB_STATE_${name.toUpperCase() as Uppercase<JobStateName>}`]
}
