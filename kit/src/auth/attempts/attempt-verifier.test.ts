import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createAttemptVerifier } from './attempt-verifier.ts'
import { signAttemptToken } from './sign-attempt-token.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519')
const attempt = { jobId: '00000000-0000-7000-8000-000000000000', attempt: 2 }
const grant = { ...attempt, user: 'alice', namespace: 'apps', roles: ['user'] as const }
const terms = { keyId: 'k', privateKey, lifeMs: 60_000 }

function setup(
  options: {
    findKey?: (id: string) => Promise<KeyObject | undefined>
    goesOn?: () => Promise<boolean>
    now?: () => number
    date?: () => Date
    keptMs?: number
  } = {},
) {
  return createAttemptVerifier({
    findKey: async (id) => (id === 'k' ? publicKey : undefined),
    goesOn: async () => true,
    keptMs: 500,
    ...options,
  })
}

test('a token says whose it is, where, and for which attempt, and is believed for a moment', async () => {
  const { token } = await signAttemptToken(grant, terms)
  expect(await setup()(token)).toEqual({
    actor: { user: 'alice', roles: ['user'], namespaces: ['apps'], attempt },
    holdsForMs: 500,
  })
})

test('a token of an attempt that has ended is refused by a reason of its own', async () => {
  let going = true
  const verify = setup({ goesOn: async () => going })
  const { token } = await signAttemptToken(grant, terms)
  await verify(token)
  going = false
  await expect(verify(token)).rejects.toMatchObject({ reason: 'ATTEMPT_TOKEN_ENDED' })
})

test('where nobody can say whether the attempt goes on, the token is not taken', async () => {
  const verify = setup({ goesOn: () => Promise.reject(new Error('away')) })
  const { token } = await signAttemptToken(grant, terms)
  await expect(verify(token)).rejects.toThrow('away')
})

test('a token that has expired is refused though it was taken before', async () => {
  let passedMs = 0
  const startMs = Date.now()
  const verify = setup({ now: () => passedMs, date: () => new Date(startMs + passedMs) })
  const { token } = await signAttemptToken(grant, terms)
  await verify(token)
  passedMs += 60_000 + 31_000
  await expect(verify(token)).rejects.toMatchObject({ reason: 'TOKEN_EXPIRED' })
})

test('a clock that is put back makes no token live longer', async () => {
  let passedMs = 0
  const verify = setup({ now: () => passedMs, keptMs: 3_600_000 })
  const { token } = await signAttemptToken(grant, terms)
  await verify(token)
  passedMs += 50_000
  const { holdsForMs } = await verify(token)
  expect(holdsForMs).toBeLessThanOrEqual(40_000)
})

test('a key that is withdrawn verifies nothing after a minute, whatever a token says of its end', async () => {
  let nowMs = 0
  let key: KeyObject | undefined = publicKey
  const verify = setup({ now: () => nowMs, findKey: async () => key })
  const { token } = await signAttemptToken(grant, { ...terms, lifeMs: 3_600_000 })
  await verify(token)
  key = undefined
  await verify(token)
  nowMs += 60_000
  await expect(verify(token)).rejects.toMatchObject({ reason: 'TOKEN_INVALID' })
})

const claims = {
  iss: 'offstage',
  sub: 'alice',
  namespace: 'apps',
  job_id: attempt.jobId,
  attempt: 2,
}
const header = { alg: 'EdDSA', typ: 'attempt+jwt', kid: 'k' }
const signed = (own: object, head: object = {}, key: Parameters<SignJWT['sign']>[0] = privateKey) =>
  new SignJWT({ aud: 'offstage', roles: ['user'], ...claims, ...own })
    .setProtectedHeader({ ...header, ...head })
    .setExpirationTime('1m')
    .sign(key)
const shared = Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' })))

describe('what others have made is refused', () => {
  test.each<[string, string, () => Promise<string> | string]>([
    ['signed by a stranger', 'TOKEN_INVALID', () => signed({}, {}, stranger.privateKey)],
    ['of an unknown key', 'TOKEN_INVALID', () => signed({}, { kid: 'x' })],
    ['without the name of a key', 'TOKEN_INVALID', () => signed({}, { kid: undefined })],
    ['of another type', 'TOKEN_INVALID', () => signed({}, { typ: 'JWT' })],
    ['with the public key as secret', 'TOKEN_INVALID', () => signed({}, { alg: 'HS256' }, shared)],
    ['without a signature', 'TOKEN_INVALID', () => new UnsecuredJWT(claims).encode()],
    ['of another issuer', 'TOKEN_INVALID', () => signed({ iss: 'https://a' })],
    ['for somebody else', 'TOKEN_WRONG_AUDIENCE', () => signed({ aud: 'other' })],
    ['without a user', 'TOKEN_INVALID', () => signed({ sub: undefined })],
    ['without an attempt', 'TOKEN_INVALID', () => signed({ attempt: '2' })],
    ['without roles', 'TOKEN_INVALID', () => signed({ roles: 'admin' })],
    ['that is none', 'TOKEN_INVALID', () => 'a.b.c'],
  ])('%s: %s', async (_, reason, make) => {
    await expect(setup()(await make())).rejects.toMatchObject({ reason })
  })

  test('but for what is wrong with them the same are taken', async () => {
    await expect(setup()(await signed({}))).resolves.toBeDefined()
  })
})
