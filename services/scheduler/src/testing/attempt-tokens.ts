/** Tokens of attempts over a database, and calls that bring them. */
import { credentials, Metadata } from '@grpc/grpc-js'
import type { Authenticate } from '@offstage/kit/auth'
import { createTokenAuthenticate } from '@offstage/kit/auth/tokens'
import type { Database } from '@offstage/kit/database'
import * as executor from '@offstage/proto/executor'
import * as jobs from '@offstage/proto/jobs'
import { type AttemptTokensOptions, createAttemptTokens } from '../attempts/attempt-tokens.ts'
import { KeyRing } from '../attempts/key-ring.ts'
import { readStoredKeys } from '../attempts/stored-keys.ts'
import { sharedDatabase } from '../store/databases.ts'
import { createStores } from '../store/stores.ts'
import { silentLog } from './attachment.ts'
import { complete, type Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'
import { byName } from './setup.ts'

export const ONE_DAY = { olderThanMs: 86_400_000, keepMs: 3_600_000 }

/** As one replica has them. */
export function tokensOver(
  database: Database,
  options: Partial<AttemptTokensOptions> & {
    readonly terms?: typeof ONE_DAY
    readonly freshMs?: number
  } = {},
) {
  const { heldAttempts, signingKeys } = createStores(sharedDatabase(database))
  let asked = 0
  const store: AttemptTokensOptions['store'] = {
    ...heldAttempts,
    goOn: (attempts) => {
      asked += attempts.length
      return heldAttempts.goOn(attempts)
    },
  }
  const { terms = ONE_DAY, freshMs, ...others } = options
  const keys = new KeyRing({
    load: () => readStoredKeys(signingKeys, terms),
    ...(freshMs !== undefined && { freshMs }),
    onTrouble: () => {},
  })
  const attempts = createAttemptTokens({ keys, store, tokenMs: 300_000, keptMs: 0, ...others })
  const byToken = createTokenAuthenticate({
    issuers: [],
    attempts: attempts.verify,
    log: silentLog,
  })
  /** Who brings a token is known by it, who brings none by name. */
  const authenticate: Authenticate = (metadata, peer) =>
    metadata.get('authorization').length > 0 ? byToken(metadata, peer) : byName(metadata, peer)
  return { attempts, authenticate, keys, signingKeys, asked: () => asked }
}

/** Calls with a token, or with none. */
export function callsWith(address: string, token: string | undefined) {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  const executors = new executor.ExecutorServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  const client = new jobs.JobServiceClient(address, credentials.createInsecure(), clientOptions())
  return {
    issue: (request: Draft<executor.IssueAttemptTokenRequest>) =>
      answer<executor.IssueAttemptTokenResponse>((done) =>
        executors.issueAttemptToken(
          complete<executor.IssueAttemptTokenRequest>(executor.IssueAttemptTokenRequest, request),
          metadata,
          done,
        ),
      ),
    check: () =>
      answer<executor.CheckAttemptResponse>((done) => executors.checkAttempt({}, metadata, done)),
    keys: () =>
      answer<executor.GetAttemptKeysResponse>((done) =>
        executors.getAttemptKeys({}, metadata, done),
      ),
    start: (job: Draft<jobs.JobSpec>, namespace = '') =>
      answer<jobs.StartJobResponse>((done) =>
        client.startJob(
          complete<jobs.StartJobRequest>(jobs.StartJobRequest, { job, namespace }),
          metadata,
          done,
        ),
      ),
    get: (jobId: string) =>
      answer<jobs.GetJobResponse>((done) =>
        client.getJob(complete<jobs.GetJobRequest>(jobs.GetJobRequest, { jobId }), metadata, done),
      ),
    [Symbol.dispose]() {
      executors.close()
      client.close()
    },
  }
}

function answer<T>(call: (done: (error: Error | null, response: T) => void) => unknown) {
  return new Promise<T>((resolve, reject) => {
    call((error, response) => (error === null ? resolve(response) : reject(error)))
  })
}
