import { Metadata } from '@grpc/grpc-js'
import { startTestIssuer, type TestIssuer, type TestTokenOptions } from '@offstage/testkit'
import { base64url, SignJWT } from 'jose'
import pino from 'pino'
import { describe, expect, test, vi } from 'vitest'
import { Refusal } from '../../grpc/refusal.ts'
import { readIdentity } from './read-identity.ts'
import { createTokenAuthenticate } from './token-authenticate.ts'
import { isForged } from './token-refusals.ts'

const log = pino({ level: 'silent' })

function withToken(token: string): Metadata {
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  return metadata
}

async function setup(entry: object = {}) {
  const issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile(entry))
  const authenticate = createTokenAuthenticate({ issuers, log })
  return {
    issuer,
    authenticate: (token: string) => authenticate(withToken(token), 'peer'),
    authenticateBy: (metadata: Metadata) => authenticate(metadata, 'peer'),
    reasonOf: async (token: string) => {
      try {
        return await authenticate(withToken(token), 'peer')
      } catch (error) {
        if (error instanceof Refusal) return error.reason
        throw error
      }
    },
    [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose](),
  }
}

test('the claims of a token say who calls, as what, and in which namespaces', async () => {
  await using it = await setup()
  const namespaces = ['default', 'reports']
  const token = await it.issuer.sign({ user: 'ann', roles: ['user', 'editor'], namespaces })
  expect(await it.authenticate(token)).toEqual({ user: 'ann', roles: ['user'], namespaces })
})

test('a token is verified once: who comes with it again is known without waiting', async () => {
  await using it = await setup()
  const token = await it.issuer.sign({ user: 'ann' })
  const first = it.authenticate(token)
  expect(it.authenticate(token)).toBe(first)
  const actor = await first
  expect(it.authenticate(token)).toBe(actor)
})

test('two tokens in one call are refused, whichever of them is good, and it is said which entry', async () => {
  await using it = await setup()
  const metadata = withToken(await it.issuer.sign({ user: 'ann' }))
  metadata.add('authorization', `Bearer ${await it.issuer.sign({ user: 'bob' })}`)
  expect(() => it.authenticateBy(metadata)).toThrow(/two `authorization` entries/)
})

test('however many tokens of one address are not taken, the log says so once a minute', async () => {
  const lines: string[] = []
  const debug = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  await using issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile())
  const authenticate = createTokenAuthenticate({ issuers, log: debug })
  for (let n = 0; n < 50; n += 1) {
    await expect(authenticate(withToken(`bad.${n}`), `10.0.0.1:${n}`)).rejects.toThrow()
  }
  await expect(authenticate(withToken('bad'), '10.0.0.2:1')).rejects.toThrow()
  const addresses = lines.map((line) => JSON.parse(line).address)
  expect(addresses).toEqual(['10.0.0.1', '10.0.0.2'])
})

test('who sends one bad token after the other waits for those, and nobody else does', async () => {
  await using issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile())
  const authenticate = createTokenAuthenticate({ issuers, log })
  const [head = '', claims = '', signature = ''] = (await issuer.sign(ann)).split('.')
  // The keys are known before.
  await authenticate(withToken(await issuer.sign({ user: 'first' })), 'first')
  let refused = 0
  const forged = Array.from({ length: 300 }, (_, n) => {
    const wrong = `${head}.${claims}.${base64url.encode(String(n).padStart(64, 'x'))}`
    return Promise.resolve(authenticate(withToken(wrong), 'mallory')).catch((error: unknown) => {
      if (isForged(error)) refused += 1
    })
  })
  await authenticate(withToken(`${head}.${claims}.${signature}`), 'ann')
  expect(refused).toBeLessThan(100)
  await Promise.all(forged)
  expect(refused).toBe(300)
})

test('who has let a token expire, or brings one of somebody else, has not forged it', async () => {
  await using issuer = await startTestIssuer()
  await using other = await startTestIssuer({ issuer: 'https://other.test' })
  const { issuers } = readIdentity(await issuer.identityFile())
  const authenticate = createTokenAuthenticate({ issuers, log })
  const tokens = [
    await issuer.sign({ ...ann, endsInS: -3_600 }),
    await issuer.sign({ ...ann, claims: { aud: 'another' } }),
    await issuer.sign({ ...ann, header: { kid: 'unknown' } }),
    await other.sign(ann),
    'nonsense',
  ]
  for (const token of tokens) {
    const error = await Promise.resolve(authenticate(withToken(token), 'ann')).catch((e) => e)
    expect([error instanceof Refusal, isForged(error)]).toEqual([true, false])
  }
})

test('a token ends when its time has passed, though the clock of the machine was put back', async () => {
  await using issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile({ clockTolerance: '0s' }))
  let passedMs = 0
  const authenticate = createTokenAuthenticate({ issuers, log, now: () => passedMs })
  const token = withToken(await issuer.sign({ ...ann, endsInS: 5 }))
  await authenticate(token, 'peer')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
  try {
    expect(authenticate(token, 'peer')).toMatchObject({ user: 'ann' })
    passedMs = 5_000
    // It is looked at anew: what it was found to be before is over.
    expect(authenticate(token, 'peer')).toBeInstanceOf(Promise)
  } finally {
    vi.useRealTimers()
  }
})

test('a token of a key that was withdrawn is believed for a minute, no longer', async () => {
  await using issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile())
  let passedMs = 0
  const authenticate = createTokenAuthenticate({ issuers, log, now: () => passedMs })
  const token = withToken(await issuer.sign(ann))
  await authenticate(token, 'peer')
  passedMs = 59_999
  expect(authenticate(token, 'peer')).toMatchObject({ user: 'ann' })
  passedMs = 60_000
  expect(authenticate(token, 'peer')).toBeInstanceOf(Promise)
})

test('claims may have other names, lie within others, and be words with spaces between', async () => {
  const names = { rolesClaim: 'realm_access.roles', namespacesClaim: 'https://offstage/ns' }
  await using it = await setup(names)
  const claims = { realm_access: { roles: ['operator'] }, 'https://offstage/ns': 'a b' }
  const token = await it.issuer.sign({ user: 'ann', roles: ['admin'], claims })
  expect(await it.authenticate(token)).toEqual({
    user: 'ann',
    roles: ['operator'],
    namespaces: ['a', 'b'],
  })
})

test('a token as Kubernetes projects it works by grants; the first that fits counts', async () => {
  const grants = [
    {
      subject: 'system:serviceaccount:apps:runner',
      roles: ['executor'],
      namespaces: 'all',
      attach: { methods: ['reports.*'] },
    },
    { subject: 'system:serviceaccount:apps:*', roles: ['service'], namespaces: ['default'] },
    { subject: '*', roles: ['admin'], namespaces: 'all' },
  ]
  await using it = await setup({ grants })
  const tokenOf = (name: string) => {
    const claims = {
      aud: ['https://kubernetes.default.svc', 'offstage'],
      roles: undefined,
      namespaces: undefined,
      'kubernetes.io': { namespace: 'apps', serviceaccount: { name } },
    }
    return it.issuer.sign({ user: `system:serviceaccount:apps:${name}`, claims })
  }
  expect(await it.authenticate(await tokenOf('runner'))).toMatchObject({
    roles: ['executor'],
    namespaces: 'all',
    attach: { methods: ['reports.*'] },
  })
  expect(await it.authenticate(await tokenOf('web'))).toMatchObject({
    roles: ['service'],
    namespaces: ['default'],
  })
})

type Bad = (issuer: TestIssuer) => Promise<string> | string
const ann: TestTokenOptions = { user: 'ann' }
const forged = (header: object, claims: object) =>
  [header, claims, 'x']
    .map((part) => base64url.encode(typeof part === 'string' ? part : JSON.stringify(part)))
    .join('.')

const BAD: readonly (readonly [what: string, make: Bad, reason: string])[] = [
  ['has expired', (it) => it.sign({ ...ann, endsInS: -60 }), 'TOKEN_EXPIRED'],
  [
    'is not valid yet',
    (it) => it.sign({ ...ann, claims: { nbf: Math.floor(Date.now() / 1_000) + 300 } }),
    'TOKEN_NOT_YET_VALID',
  ],
  ['is for another', (it) => it.sign({ ...ann, claims: { aud: 'other' } }), 'TOKEN_WRONG_AUDIENCE'],
  [
    'is for nobody',
    (it) => it.sign({ ...ann, claims: { aud: undefined } }),
    'TOKEN_WRONG_AUDIENCE',
  ],
  ['has no end', (it) => it.sign({ ...ann, claims: { exp: undefined } }), 'TOKEN_INVALID'],
  ['names nobody', (it) => it.sign({ ...ann, claims: { sub: undefined } }), 'TOKEN_INVALID'],
  ['names a list of users', (it) => it.sign({ ...ann, claims: { sub: ['ann'] } }), 'TOKEN_INVALID'],
  ['names what no user is', (it) => it.sign({ user: 'a\nb' }), 'TOKEN_INVALID'],
  ['is by a stranger', (it) => it.sign({ ...ann, claims: { iss: 'https://x' } }), 'TOKEN_INVALID'],
  ['is by nobody', (it) => it.sign({ ...ann, claims: { iss: undefined } }), 'TOKEN_INVALID'],
  ['names an unknown key', (it) => it.sign({ ...ann, header: { kid: 'none' } }), 'TOKEN_INVALID'],
  ['allows no namespace', (it) => it.sign({ ...ann, namespaces: [] }), 'TOKEN_NO_NAMESPACE'],
  ['was changed', async (it) => `${(await it.sign(ann)).slice(0, -8)}AAAAAAAA`, 'TOKEN_INVALID'],
  ['is no token', () => 'abc', 'TOKEN_INVALID'],
  ['is unsigned', ({ entry }) => forged({ alg: 'none' }, claimsOf(entry)), 'TOKEN_INVALID'],
  [
    'is signed with the public key as a secret',
    ({ entry, keys }) =>
      new SignJWT(claimsOf(entry))
        .setProtectedHeader({ alg: 'HS256', kid: keys[0]?.kid })
        .sign(new TextEncoder().encode(JSON.stringify(keys[0]))),
    'TOKEN_INVALID',
  ],
]

function claimsOf({ issuer, audience }: { issuer: string; audience: string }) {
  const exp = Math.floor(Date.now() / 1_000) + 600
  return { iss: issuer, aud: audience, sub: 'root', roles: ['admin'], namespaces: ['*'], exp }
}

describe('is refused: a token that', () => {
  test.each(BAD)('%s', async (_what, make, reason) => {
    await using it = await setup()
    expect(await it.reasonOf(await make(it.issuer))).toBe(reason)
    expect(await it.reasonOf(await it.issuer.sign(ann))).toMatchObject({ user: 'ann' })
  })
})

test('a call without a token is told so', async () => {
  await using it = await setup()
  const authenticate = createTokenAuthenticate({ issuers: [], log })
  expect(() => authenticate(new Metadata(), 'peer')).toThrow(/brings no token/)
  expect(it.issuer.asked).toBe(0)
})

test('what is wrong with a token is in the log of the service at debug, the token is not', async () => {
  await using issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile())
  const lines: string[] = []
  const debug = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  const authenticate = createTokenAuthenticate({ issuers, log: debug })
  const token = await issuer.sign({ ...ann, header: { kid: 'none' } })
  await expect(async () => authenticate(withToken(token), 'peer')).rejects.toThrow(/not one that/)
  expect(lines.join()).toContain('no applicable key found')
  for (const part of token.split('.')) expect(lines.join()).not.toContain(part)
})

test('who brings no token is known by a certificate that is configured, and by no other', async () => {
  await using issuer = await startTestIssuer()
  const { issuers } = readIdentity(await issuer.identityFile())
  const grant = { subject: 'keda', roles: ['scaler' as const], namespaces: ['default'] }
  const authenticate = createTokenAuthenticate({ issuers, certificates: [grant], log })
  const showing = (...names: string[]) => ({ certificateNames: () => names })
  const call = async (metadata: Metadata, ...names: string[]) =>
    authenticate(metadata, 'peer', showing(...names))
  const keda = { user: 'certificate:keda', roles: ['scaler'], namespaces: ['default'] }
  expect(await call(new Metadata(), 'scaler.svc', 'keda')).toEqual(keda)
  await expect(call(new Metadata(), 'kedaa')).rejects.toMatchObject({ reason: 'TOKEN_MISSING' })
  await expect(call(new Metadata())).rejects.toMatchObject({ reason: 'TOKEN_MISSING' })
  // A token says more than who carries it.
  const token = withToken(await issuer.sign({ user: 'ann', roles: ['user'] }))
  expect(await call(token, 'keda')).toMatchObject({ user: 'ann', roles: ['user'] })
  await expect(call(withToken('bad'), 'keda')).rejects.toMatchObject({ reason: 'TOKEN_INVALID' })
})
