import { status } from '@grpc/grpc-js'
import { OffstageError } from '../grpc/mod.ts'
import type { Codec } from '../jobs/codec.ts'
import { Credential } from './credential.ts'
import type { TokenSource } from './token-source.ts'

/** Who calls, and on behalf of which job. */
export interface Identity {
  readonly namespace: string
  /** Scope of temp storage for starts and values that name none; empty for none. */
  readonly scope: string
  /** The job the calls are made in; its starts are children of it. Empty outside of jobs. */
  readonly parentJobId: string
  /** Goes with every call: user, token, trace. */
  readonly credential: Credential
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
  /** Bears the owner's rights; empty in development mode. A function is called when a call needs one, and again before it ends. */
  readonly token: TokenSource
  readonly namespace: string
  readonly scope: string
  /** W3C trace context of the attempt; empty for none. */
  readonly traceparent: string
  /** That of the job's method: of what its handler puts into storage, and known to all that it reads. */
  readonly codec?: Codec
  /** Its rights are those of its owner in the namespace: with all such jobs of that owner it shares the stream by which they wait. Default false. */
  readonly hasOwnersRights?: boolean
  /** Told when the job begins to wait for others and when it goes on (row J11). */
  onWaiting(waiting: boolean): void
  /** Aborted when the job is to stop. Until then calls are repeated while a service is away. */
  readonly signal?: AbortSignal
}

/** The identity of calls made in a job. */
export function identityOfJob(job: JobIdentity): Identity {
  return {
    namespace: job.namespace,
    scope: job.scope,
    parentJobId: job.jobId,
    credential: new Credential({
      token: job.token,
      user: job.owner,
      traceparent: job.traceparent,
    }),
    onWaiting: (waiting: boolean) => job.onWaiting(waiting),
    signal: job.signal,
  }
}

/** What calls of a job's client are refused with after the end of the attempt. */
export function attemptEnded(): OffstageError {
  return new OffstageError({
    code: status.UNAUTHENTICATED,
    reason: 'ATTEMPT_TOKEN_ENDED',
    message:
      'the attempt has ended, and with it the right to act in its name: do not keep the client of a job',
  })
}
