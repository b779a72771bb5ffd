import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Metadata } from '@grpc/grpc-js'
import type { Actor } from '@offstage/kit/auth'
import {
  attemptTokenEnded,
  createAttemptVerifier,
  signAttemptToken,
} from '@offstage/kit/auth/attempts'
import { createTokenAuthenticate, type VerifyToken } from '@offstage/kit/auth/tokens'
import { createGrpcServer, type GuardedService, unary } from '@offstage/kit/grpc'
import { createLogger } from '@offstage/kit/telemetry'
import { type ExecutorServiceServer, ExecutorServiceService } from '@offstage/proto/executor'
import { expect, test } from 'vitest'
import { askScheduler } from './ask-scheduler.ts'

const log = createLogger({ name: 'test', level: 'silent' })
const ref = { jobId: '00000000-0000-7000-8000-000000000000', attempt: 1 }
const grant = { ...ref, user: 'alice', namespace: 'default', roles: ['user'] as const }

/** A scheduler that knows one attempt, and what it was asked. */
async function setup() {
  const it = new AsyncDisposableStack()
  const keys = new Map<string, ReturnType<typeof generateKeyPairSync>>()
  const asked = { keys: 0, attempts: 0 }
  const state = { goesOn: true, hangs: false }
  const verify = createAttemptVerifier({
    findKey: async (id) => keys.get(id)?.publicKey as KeyObject | undefined,
    goesOn: async () => state.goesOn,
    keptMs: 0,
  })
  const hold = async () => {
    while (state.hangs) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const implementation: GuardedService<
    Pick<ExecutorServiceServer, 'issueAttemptToken' | 'checkAttempt' | 'getAttemptKeys'>
  > = {
    issueAttemptToken: unary('executors.attach', () => {
      throw attemptTokenEnded()
    }),
    checkAttempt: unary('identified', async (_, { actor }: { actor: Actor }) => {
      asked.attempts += 1
      await hold()
      return actor.attempt ?? { jobId: '', attempt: 0 }
    }),
    getAttemptKeys: unary('identified', () => {
      asked.keys += 1
      const shown = [...keys].map(([kid, { publicKey }]) => ({
        ...(publicKey as KeyObject).export({ format: 'jwk' }),
        kid,
      }))
      return { jwks: JSON.stringify({ keys: shown }) }
    }),
  }
  const { issueAttemptToken, checkAttempt, getAttemptKeys } = ExecutorServiceService
  const definition = { issueAttemptToken, checkAttempt, getAttemptKeys }
  const server = it.use(
    createGrpcServer({
      name: 'scheduler',
      host: '127.0.0.1',
      port: 0,
      services: [{ definition, implementation }],
      authenticate: createTokenAuthenticate({ issuers: [], attempts: verify, log }),
      log,
    }),
  )
  await server.start()
  const { attempts } = it.use(askScheduler(server.address, undefined))
  const newKey = (id: string) => keys.set(id, generateKeyPairSync('ed25519'))
  newKey('first')
  return {
    attempts,
    asked,
    state,
    server,
    newKey,
    async sign(keyId = 'first') {
      const privateKey = keys.get(keyId)?.privateKey as KeyObject
      return (await signAttemptToken(grant, { keyId, privateKey, lifeMs: 60_000 })).token
    },
    [Symbol.asyncDispose]: () => it.disposeAsync(),
  }
}

test('a token is believed on the word of the scheduler, for half a second', async () => {
  await using it = await setup()
  const { actor, holdsForMs } = await it.attempts(await it.sign())
  expect(actor).toEqual({ user: 'alice', roles: ['user'], namespaces: ['default'], attempt: ref })
  expect(holdsForMs).toBe(500)
})

test('keys are asked for once, and again when a token names a new one', async () => {
  await using it = await setup()
  const token = await it.sign()
  for (let n = 0; n < 5; n += 1) await it.attempts(token)
  expect(it.asked).toEqual({ keys: 1, attempts: 5 })
  it.newKey('second')
  await it.attempts(await it.sign('second'))
  await it.attempts(token)
  expect(it.asked.keys).toBe(2)
})

test('what the scheduler refuses is refused for its reason', async () => {
  await using it = await setup()
  const token = await it.sign()
  await it.attempts(token)
  it.state.goesOn = false
  await expect(it.attempts(token)).rejects.toMatchObject({ reason: 'ATTEMPT_TOKEN_ENDED' })
})

test('forged tokens cause no question about attempts, and none at all where their key is known', async () => {
  await using it = await setup()
  await it.attempts(await it.sign())
  const before = { ...it.asked }
  const { privateKey } = generateKeyPairSync('ed25519')
  const forged = async (keyId: string) =>
    (await signAttemptToken(grant, { keyId, privateKey, lifeMs: 60_000 })).token
  const refused = { reason: 'TOKEN_INVALID' }
  await expect(it.attempts(await forged('first'))).rejects.toMatchObject(refused)
  await expect(it.attempts(await forged('unknown'))).rejects.toMatchObject(refused)
  expect(it.asked).toEqual(before)
})

const WITHOUT: Record<string, (it: Awaited<ReturnType<typeof setup>>) => unknown> = {
  'is gone': ({ server }) => server.stop(),
  'does not answer': ({ state }) => {
    state.hangs = true
  },
}

test.each(Object.entries(WITHOUT))(
  'while the scheduler %s nothing is believed',
  async (_, leave) => {
    await using it = await setup()
    const token = await it.sign()
    await it.attempts(token)
    await leave(it)
    await expect(it.attempts(token)).rejects.toMatchObject({
      reason: 'IDENTITY_UNAVAILABLE',
      retryDelayMs: 500,
    })
    it.state.hangs = false
  },
)

test('through the door of storage a token is asked about once while the answer holds', async () => {
  await using it = await setup()
  const attempts: VerifyToken = it.attempts
  const authenticate = createTokenAuthenticate({ issuers: [], attempts, log })
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${await it.sign()}`)
  await Promise.all(Array.from({ length: 50 }, async () => authenticate(metadata, '')))
  expect(it.asked).toEqual({ keys: 1, attempts: 1 })
})
