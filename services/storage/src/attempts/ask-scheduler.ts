/**
 * What the scheduler says of the tokens of attempts. Each question brings the token it is about, so that storage needs none of its
 * own: whoever shows a forged one learns no more than by asking the scheduler.
 *
 * 1. A token is looked at by itself first, with the keys that are known, so that forged ones cause no question about attempts.
 * 2. What the scheduler has answered holds for `KEPT_MS`; it may itself have known it for as long.
 * 3. A scheduler that does not answer leaves nothing believed.
 */
import type { KeyObject } from 'node:crypto'
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { attemptTokenEnded, createAttemptVerifier, publicKeysIn } from '@offstage/kit/auth/attempts'
import { tokenRefusal, type VerifyToken } from '@offstage/kit/auth/tokens'
import { Refusal } from '@offstage/kit/grpc'
import { type ChannelTls, channelSecurity } from '@offstage/proto/channel-credentials'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { ExecutorServiceService } from '@offstage/proto/executor'
import { resolutionOptions } from '@offstage/proto/name-resolution'

/** See `docs/security.md`, which tells the sum of this and what the scheduler believes. */
const KEPT_MS = 500
/** Shorter than callers wait for an answer. */
const DEADLINE_MS = 3_000
/** Keys asked for at once. Tokens with unknown keys beyond that come again. */
const KEY_QUESTIONS_MAX = 64

export interface SchedulerAttempts extends Disposable {
  readonly attempts: VerifyToken
}

/** Calls nobody before it is shown a token. */
export function askScheduler(address: string, tls: ChannelTls | undefined): SchedulerAttempts {
  const { credentials, options } = channelSecurity(tls, address)
  const client = new Client(address, credentials, {
    ...options,
    ...resolutionOptions(address),
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // One that froze is left for another.
    'grpc.keepalive_time_ms': 2_000,
    'grpc.keepalive_timeout_ms': 4_000,
  })
  let keys: ReadonlyMap<string, KeyObject> = new Map()
  let questions = 0

  async function findKey(id: string, token: string): Promise<KeyObject | undefined> {
    if (keys.has(id)) return keys.get(id)
    if (questions >= KEY_QUESTIONS_MAX) throw cannotAsk('too many ask at once')
    questions += 1
    try {
      const { jwks } = await ask(client, ExecutorServiceService.getAttemptKeys, token)
      keys = publicKeysIn(jwks)
      return keys.get(id)
    } finally {
      questions -= 1
    }
  }

  const attempts = createAttemptVerifier({
    findKey,
    async goesOn({ jobId, attempt }, token) {
      const told = await ask(client, ExecutorServiceService.checkAttempt, token)
      return told.jobId === jobId && told.attempt === attempt
    },
    keptMs: KEPT_MS,
  })
  return { attempts, [Symbol.dispose]: () => client.close() }
}

type Question = (typeof ExecutorServiceService)['getAttemptKeys' | 'checkAttempt']
type Answer<Q extends Question> = ReturnType<Q['responseDeserialize']>

/** Asks in the name of who brought the token. */
function ask<Q extends Question>(client: Client, question: Q, token: string): Promise<Answer<Q>> {
  const { path, requestSerialize, responseDeserialize } = question
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  const deadline = Date.now() + DEADLINE_MS
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<object, Answer<Q>>(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Answer<Q>,
      {},
      metadata,
      { deadline },
      (error, answer) => {
        if (error !== null) reject(refusalFrom(error))
        else resolve(answer as Answer<Q>)
      },
    )
  })
}

/** What the scheduler refuses is refused here for the same reason; all else is that it cannot be asked. */
function refusalFrom(error: ServiceError): Error {
  if (error.code !== status.UNAUTHENTICATED) return cannotAsk(error)
  const bytes = error.metadata.get(STATUS_DETAILS_KEY)[0]
  const reason = Buffer.isBuffer(bytes) ? decodeErrorDetails(bytes).reason : undefined
  if (reason === 'ATTEMPT_TOKEN_ENDED') return attemptTokenEnded()
  if (reason === 'TOKEN_EXPIRED') return tokenRefusal('TOKEN_EXPIRED', error)
  return tokenRefusal('TOKEN_INVALID', error)
}

function cannotAsk(cause: unknown): Refusal {
  return new Refusal({
    reason: 'IDENTITY_UNAVAILABLE',
    message:
      'the scheduler cannot be asked whether the attempt of this token goes on: try again later',
    retryDelayMs: 500,
    cause,
  })
}
