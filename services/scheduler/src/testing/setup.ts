/** A fresh scheduler for each test, on a real port and a database of its own. */
import { credentials, Metadata } from '@grpc/grpc-js'
import { type Authenticate, developmentAuthenticate, type Role } from '@offstage/kit/auth'
import { type Bus, createInProcessBus } from '@offstage/kit/bus'
import type { Database } from '@offstage/kit/database'
import { createLogger } from '@offstage/kit/telemetry'
import * as proto from '@offstage/proto/jobs'
import type { AttemptTokens } from '../attempts/attempt-tokens.ts'
import { readSchedulerConfig, type SchedulerConfig } from '../config.ts'
import { createScheduler, type Scheduler } from '../scheduler.ts'
import type { SchedulerDatabases } from '../store/databases.ts'
import { complete, type Draft, millis } from './draft.ts'
import { clientOptions, faults, underFaults } from './faults/faults.ts'
import { lendPglite } from './lent-pglite.ts'
import { telling } from './story.ts'

export interface Bundle extends AsyncDisposable {
  readonly scheduler: Scheduler
  readonly database: Database
  /** Calls as `dev`, who is the only administrator. */
  readonly jobs: JobClient
  /** Calls as another user, in another role where the name goes on `:role`. */
  as(user: string): JobClient
}

export interface SetupOptions {
  readonly config?: Partial<SchedulerConfig>
  /** Default: everybody is who they say, as {@link Bundle.as} tells. */
  readonly authenticate?: Authenticate
  /** Default: an empty PGlite that no other test has meanwhile. */
  readonly database?: Database
  /** Instead, where the scheduler is to have several sets of connections to it. */
  readonly databases?: SchedulerDatabases
  readonly bus?: Bus
  readonly attempts?: AttemptTokens
}

/** Believes whoever calls, as development does; `ann:reader` is ann in that role, ann:executor+user in both, others but `dev` are plain users. */
export const byName: Authenticate = (metadata) => {
  const actor = developmentAuthenticate(metadata)
  const [user = '', role = user === 'dev' ? 'admin' : 'user'] = actor.user.split(':')
  return { ...actor, user, roles: role.split('+') as Role[] }
}

export async function setup(options: SetupOptions = {}): Promise<Bundle> {
  const database = options.database ?? (await lendPglite())
  const bus = options.bus ?? createInProcessBus()
  const config = {
    ...readSchedulerConfig({ OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused' }),
    port: 0,
    ...options.config,
    // What a lost answer hides is found by sweeps.
    ...(faults && { claimSweepMs: 200, waitSweepMs: 200 }),
  }
  const log = createLogger({ name: 'scheduler', level: 'error' })
  const { databases, arm } = underFaults(telling(options.databases ?? database))
  const scheduler = createScheduler({
    config,
    database: databases,
    bus,
    log,
    authenticate: options.authenticate ?? byName,
    attempts: options.attempts,
  })
  await scheduler.start()
  arm()
  const clients: JobClient[] = []
  const as = (user: string) => {
    const client = connectJobs(scheduler.address, user)
    clients.push(client)
    return client
  }
  return {
    scheduler,
    database,
    jobs: as('dev'),
    as,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close()
      await scheduler.stop()
      if (options.bus === undefined) await bus[Symbol.asyncDispose]()
      if (options.database === undefined) await database[Symbol.asyncDispose]()
    },
  }
}

/** Plain gRPC with promises: what a caller without an SDK has. */
export interface JobClient {
  readonly raw: proto.JobServiceClient
  start(
    job: Draft<proto.JobSpec>,
    options?: { waitMs?: number; user?: string; namespace?: string },
  ): Promise<proto.StartedJob>
  startMany(
    jobs: readonly Draft<proto.JobSpec>[],
    waitMs?: number,
  ): Promise<proto.StartJobOutcome[]>
  get(jobId: string, namespace?: string): Promise<proto.Job>
  list(
    filter?: Draft<proto.JobFilter>,
    page?: { pageSize?: number; pageToken?: string },
  ): Promise<proto.ListJobsResponse>
  wait(
    jobIds: readonly string[],
    options?: { any?: boolean; timeoutMs?: number },
  ): Promise<proto.WaitJobsResponse>
  cancel(
    jobId: string,
    options?: { graceMs?: number; cascade?: boolean; reason?: string },
  ): Promise<proto.CancelJobResponse>
  retry(
    jobId: string,
    options?: { requestId?: string; requiredVersion?: string; user?: string },
  ): Promise<proto.Job>
  explain(jobId: string): Promise<proto.ExplainJobResponse>
  close(): void
}

export function connectJobs(address: string, caller = 'dev'): JobClient {
  const raw = new proto.JobServiceClient(address, credentials.createInsecure(), clientOptions())
  const call = <Req, Res>(
    method: (
      request: Req,
      metadata: Metadata,
      callback: (error: Error | null, response: Res) => void,
    ) => unknown,
    request: Req,
    user = caller,
  ) =>
    new Promise<Res>((resolve, reject) => {
      const metadata = new Metadata()
      metadata.set('offstage-user', user)
      method.call(raw, request, metadata, (error, response) =>
        error === null ? resolve(response) : reject(error),
      )
    })
  return {
    raw,
    async start(job, { waitMs = 0, user, namespace = '' } = {}) {
      const request = { namespace, job, inlineWait: millis(waitMs) }
      const { job: started } = await call<proto.StartJobRequest, proto.StartJobResponse>(
        raw.startJob,
        complete(proto.StartJobRequest, request),
        user,
      )
      if (started === undefined) throw new Error('no job in the answer')
      return started
    },
    async startMany(jobs, waitMs = 0) {
      const request = { jobs, inlineWait: millis(waitMs) }
      const { outcomes } = await call<proto.StartJobsRequest, proto.StartJobsResponse>(
        raw.startJobs,
        complete(proto.StartJobsRequest, request),
      )
      return outcomes
    },
    async get(jobId, namespace = '') {
      const { job } = await call<proto.GetJobRequest, proto.GetJobResponse>(
        raw.getJob,
        complete(proto.GetJobRequest, { jobId, namespace }),
      )
      if (job === undefined) throw new Error('no job in the answer')
      return job
    },
    list: (filter = {}, page = {}) =>
      call(raw.listJobs, complete(proto.ListJobsRequest, { filter, ...page })),
    wait: (jobIds, { any = false, timeoutMs = 30_000 } = {}) =>
      call(
        raw.waitJobs,
        complete(proto.WaitJobsRequest, {
          jobIds,
          mode: any ? 2 : 1,
          timeout: millis(timeoutMs),
        }),
      ),
    cancel: (jobId, { graceMs = 1_000, cascade = false, reason = '' } = {}) =>
      call(
        raw.cancelJob,
        complete(proto.CancelJobRequest, { jobId, grace: millis(graceMs), cascade, reason }),
      ),
    async retry(jobId, { requestId = '', requiredVersion, user } = {}) {
      const { job } = await call<proto.RetryJobRequest, proto.RetryJobResponse>(
        raw.retryJob,
        complete(proto.RetryJobRequest, { jobId, requestId, requiredVersion }),
        user,
      )
      if (job === undefined) throw new Error('no job in the answer')
      return job
    },
    explain: (jobId) => call(raw.explainJob, complete(proto.ExplainJobRequest, { jobId })),
    close: () => raw.close(),
  }
}
