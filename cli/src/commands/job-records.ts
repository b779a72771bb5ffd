/** Reads jobs with all that the scheduler tells of them, which is more than the SDK hands to programs. */
import { type Job, type JobServiceClient, JobState, JobView } from '@offstage/proto/jobs'
import type { ConnectOptions, JobStateName } from '@offstage/sdk'
import { sessionFrom } from '@offstage/sdk/client'
import type { UnaryMethod } from '@offstage/sdk/grpc'
import { type JobRecord, type MessageRecord, messageRecordFrom, recordFrom } from './job-record.ts'

/** As many as the scheduler gives. */
const MESSAGES_PAGE = 1_000

/** One job as the scheduler has it. Throws an OffstageError, such as JOB_NOT_FOUND. */
export async function readJob(options: ConnectOptions, jobId: string): Promise<Job> {
  const request = { namespace: namespaceOf(options), jobId, view: JobView.JOB_VIEW_FULL }
  const { job } = await callScheduler(options, (jobs) => jobs.getJob.bind(jobs), request)
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
  for (let pageToken = '', more = true; more; more = pageToken !== '') {
    const request = { namespace, jobId, afterSequence: 0, pageSize: MESSAGES_PAGE, pageToken }
    const page = await callScheduler(options, (jobs) => jobs.listJobMessages.bind(jobs), request)
    messages.push(...page.messages.map(messageRecordFrom))
    pageToken = page.nextPageToken
  }
  return messages
}

/** The newest jobs, at most `limit`, up to 1,000. Without results and details of errors, as ListJobs has it. */
export async function readNewestJobs(
  options: ConnectOptions,
  filter: { readonly states: readonly JobStateName[]; readonly methods: readonly string[] },
  limit: number,
): Promise<readonly JobRecord[]> {
  const request = {
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
    },
    pageSize: limit,
    pageToken: '',
    view: JobView.JOB_VIEW_BASIC,
  }
  const { jobs } = await callScheduler(options, (client) => client.listJobs.bind(client), request)
  return jobs.map(recordFrom)
}

async function callScheduler<Req, Res>(
  options: ConnectOptions,
  methodOf: (jobs: JobServiceClient) => UnaryMethod<Req, Res>,
  request: Req,
): Promise<Res> {
  const session = sessionFrom(options)
  try {
    return await session.callScheduler(methodOf(session.connection.jobs), request)
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
