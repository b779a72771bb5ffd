import { Metadata } from '@grpc/grpc-js'

/** Who calls, and on behalf of which job. */
export interface Identity {
  readonly namespace: string
  /** Scope of temp storage for starts and values that name none; empty for none. */
  readonly scope: string
  /** The job the calls are made in; its starts are children of it. Empty outside of jobs. */
  readonly parentJobId: string
  /** Goes with every call: user, token, trace. */
  readonly metadata: Metadata
  /** Told when the job begins to wait for others and when it goes on (row J11). */
  readonly onWaiting?: (waiting: boolean) => void
  /** Aborted when the job the calls are made in is to stop; absent outside of jobs. */
  readonly signal?: AbortSignal
}

/** A job's identity: what an executor makes a handler's client from. */
export interface JobIdentity {
  readonly jobId: string
  /** The user the job runs for (row J5). */
  readonly owner: string
  /** Bears the owner's rights; empty in development mode. */
  readonly token: string
  readonly namespace: string
  readonly scope: string
  /** W3C trace context of the attempt; empty for none. */
  readonly traceparent: string
  /** Told when the job begins to wait for others and when it goes on (row J11). */
  onWaiting(waiting: boolean): void
  /** Aborted when the job is to stop. Until then calls are repeated while a service is away. */
  readonly signal?: AbortSignal
}

/** Who calls, as it goes with every call. Empty texts are left out. */
export function metadataFrom(identity: {
  readonly token?: string
  readonly user?: string
  readonly traceparent?: string
}): Metadata {
  const metadata = new Metadata()
  const { token, user, traceparent } = identity
  if (token) metadata.set('authorization', `Bearer ${token}`)
  // Believed in development mode only; elsewhere the token says who calls.
  if (user) metadata.set('offstage-user', user)
  if (traceparent) metadata.set('traceparent', traceparent)
  return metadata
}

/** The identity of calls made in a job. */
export function identityOfJob(job: JobIdentity): Identity {
  return {
    namespace: job.namespace,
    scope: job.scope,
    parentJobId: job.jobId,
    metadata: metadataFrom({ token: job.token, user: job.owner, traceparent: job.traceparent }),
    onWaiting: (waiting: boolean) => job.onWaiting(waiting),
    signal: job.signal,
  }
}
