import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { AUTHENTICATION_KEY, DEVELOPMENT } from '@offstage/proto/authentication'
import {
  JobServiceClient,
  NamespaceServiceClient,
  ScheduleServiceClient,
} from '@offstage/proto/jobs'
import { StorageServiceClient } from '@offstage/proto/storage'
import {
  type CallOptions,
  type Channel,
  type ChannelTls,
  callUnary,
  createChannel,
  createSchedulerChannel,
  OffstageError,
  type UnaryMethod,
} from '../grpc/mod.ts'
import { clockSkewMs } from './request-id.ts'

/** The two services a client speaks to, one HTTP/2 connection each. */
export interface Connection {
  readonly scheduler: Channel
  readonly storage: Channel
  readonly jobs: JobServiceClient
  readonly namespaces: NamespaceServiceClient
  readonly schedules: ScheduleServiceClient
  readonly values: StorageServiceClient
  /** By how much the scheduler's clock is ahead of this machine's; 0 until and unless it is known to be well off. */
  skewMs: number
  /** Whether the scheduler believes everybody and reads no token; false until it is known. */
  isDevelopment: boolean
  /** Ends both connections; calls under way fail. */
  close(): void
}

/** Dials nothing yet. */
export function createConnection(
  schedulerAddress: string,
  storageAddress: string,
  tls?: ChannelTls,
): Connection {
  const scheduler = createSchedulerChannel(schedulerAddress, { tls })
  const storage = createChannel(storageAddress, {
    service: 'the storage service',
    variable: 'OFFSTAGE_STORAGE',
    tls,
  })
  return {
    scheduler,
    storage,
    jobs: scheduler.client(JobServiceClient),
    namespaces: scheduler.client(NamespaceServiceClient),
    schedules: scheduler.client(ScheduleServiceClient),
    values: storage.client(StorageServiceClient),
    skewMs: 0,
    isDevelopment: false,
    close() {
      scheduler.close()
      storage.close()
    },
  }
}

/** A scheduler that does not answer in this time counts as unreachable. */
const REACH_MS = 5_000

/** A HealthCheckRequest: its one field, by number and length. */
const HEALTH_OF_JOBS = lengthPrefixed('offstage.jobs.v1.JobService')

/**
 * Makes sure the scheduler can be reached at all: any answer to a health check will do, even one that says it
 * is not ready or knows no such call. The answer's date tells whether the clocks agree, another header whether
 * tokens are read.
 * @throws OffstageError SERVICE_UNREACHABLE or DEADLINE_EXCEEDED, naming the address and OFFSTAGE_SCHEDULER; WRONG_SERVICE
 *   where another service of Offstage answers there.
 */
export async function checkReachable(connection: Connection): Promise<void> {
  const { jobs, scheduler } = connection
  const pass = (bytes: Buffer) => bytes
  const check: UnaryMethod<Buffer, Buffer> = (request, metadata, options, callback) => {
    const path = '/grpc.health.v1.Health/Check'
    const done = (error: ServiceError | null, response: Buffer = Buffer.alloc(0)) =>
      callback(error, response)
    const call = jobs.makeUnaryRequest(path, pass, pass, request, metadata, options, done)
    return call.on('metadata', (headers: Metadata) => {
      const date = headers.get('date')[0]?.toString()
      connection.skewMs = clockSkewMs(date, Date.now())
      connection.isDevelopment = headers.get(AUTHENTICATION_KEY)[0] === DEVELOPMENT
    })
  }
  const terms = { deadlineMs: REACH_MS, metadata: new Metadata(), target: scheduler }
  try {
    await callUnary(check, HEALTH_OF_JOBS, terms)
  } catch (error) {
    if (!(error instanceof OffstageError) || isUnreachable(error)) throw error
    if (error.code === status.NOT_FOUND) await askWhoAnswers(connection, terms)
  }
}

/** The server does not know the job service: any call of it says whether it is another one of ours. */
async function askWhoAnswers({ jobs }: Connection, terms: CallOptions): Promise<void> {
  try {
    await callUnary(jobs.getJob.bind(jobs), { namespace: '', jobId: '', view: 0 }, terms)
  } catch (error) {
    if (!(error instanceof OffstageError) || error.reason === 'WRONG_SERVICE') throw error
  }
}

function lengthPrefixed(name: string): Buffer {
  return Buffer.from([0x0a, name.length, ...Buffer.from(name)])
}

function isUnreachable({ reason }: OffstageError): boolean {
  return reason === 'SERVICE_UNREACHABLE' || reason === 'DEADLINE_EXCEEDED'
}
