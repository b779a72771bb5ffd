import { createAuthority, createPemFolder, startTestIssuer, until } from '@offstage/testkit'
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, type JSONWebKeySet } from 'jose'
import { expect, test } from 'vitest'
import { KeySet, type KeySetOptions } from './key-set.ts'
import { loadKeys } from './load-keys.ts'

const token = { payload: '', signature: '' }
const named = (kid: string) => ({ alg: 'ES256', kid })

/** A set whose clock and issuer the test holds in its hands. */
async function setup(options: Partial<KeySetOptions> = {}) {
  const place = { asked: 0, nowMs: 0, away: false, jwks: { keys: [] } as JSONWebKeySet }
  const heard: string[] = []
  const publish = async (...kids: string[]) => {
    const keys = kids.map(async (kid) => {
      const { publicKey } = await generateKeyPair('ES256')
      return { ...(await exportJWK(publicKey)), kid, alg: 'ES256' }
    })
    place.jwks = { keys: await Promise.all(keys) }
  }
  const set = new KeySet({
    load: async () => {
      place.asked += 1
      await undefined
      if (place.away) throw new Error('the issuer is away')
      return place.jwks
    },
    onTrouble: (error) => heard.push((error as Error).message),
    onRecovered: () => heard.push('recovered'),
    freshMs: 1_000,
    maxAgeMs: 2_000,
    graceMs: 60_000,
    cooldownMs: 100_000,
    now: () => place.nowMs,
    ...options,
  })
  await publish('a')
  return { place, heard, publish, find: (kid: string) => set.find(named(kid), token) }
}

test('keys are asked for once, by however many calls, and kept', async () => {
  const { place, find } = await setup()
  await Promise.all(Array.from({ length: 50 }, () => find('a')))
  await find('a')
  expect(place.asked).toBe(1)
})

test('a key that was withdrawn is not used once it is old, though nobody asked meanwhile', async () => {
  const { place, publish, find } = await setup()
  await find('a')
  await publish('b')
  place.nowMs = 50_000
  await expect(find('a')).rejects.toThrow(/no applicable key/)
})

test('keys that are getting old are used while newer ones are looked for', async () => {
  const { place, find } = await setup()
  await find('a')
  place.nowMs = 1_500
  await find('a')
  await until(() => place.asked === 2)
  await find('a')
  expect(place.asked).toBe(2)
})

test('a new key is found at once, however often keys have changed', async () => {
  const { publish, find } = await setup()
  await find('a')
  for (const kid of ['b', 'c', 'd']) {
    await publish(kid)
    await find(kid)
  }
})

test('a new key is found though a question begun before it was there is still under way', async () => {
  const answer = Promise.withResolvers<void>()
  const pair = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(pair.publicKey)), alg: 'ES256' }
  let asked = 0
  const set = new KeySet({
    load: async () => {
      asked += 1
      if (asked !== 2)
        return { keys: [{ ...jwk, kid: 'a' }, ...(asked > 2 ? [{ ...jwk, kid: 'b' }] : [])] }
      await answer.promise
      return { keys: [{ ...jwk, kid: 'a' }] }
    },
    onTrouble: () => {},
  })
  await set.find(named('a'), token)
  const stranger = set.find(named('x'), token)
  const found = set.find(named('b'), token)
  answer.resolve()
  await expect(stranger).rejects.toThrow()
  await found
  expect(asked).toBe(3)
})

test('a flood of tokens with unknown keys causes one question within the cooldown', async () => {
  const { place, publish, find } = await setup({ freshMs: 1_000_000, maxAgeMs: 1_000_000 })
  await find('a')
  await expect(find('x')).rejects.toThrow(/no applicable key/)
  await publish('a', 'b')
  for (let i = 0; i < 100; i += 1) {
    await expect(find(`x${i}`)).rejects.toMatchObject({ reason: 'IDENTITY_UNAVAILABLE' })
  }
  expect(place.asked).toBe(2)
  await find('a')
  // A key that came with the flood is not told off: it is found when its bearer comes back.
  await expect(find('b')).rejects.toMatchObject({ retryDelayMs: 100_000 })
  place.nowMs = 100_000
  await find('b')
  expect(place.asked).toBe(3)
})

test('while the issuer is away known keys go on for the grace; then, and for new ones, it is said', async () => {
  const { place, heard, find } = await setup()
  await find('a')
  place.away = true
  place.nowMs = 30_000
  await find('a')
  await expect(find('new')).rejects.toMatchObject({ reason: 'IDENTITY_UNAVAILABLE' })
  place.nowMs = 61_000
  await expect(find('a')).rejects.toMatchObject({ reason: 'IDENTITY_UNAVAILABLE' })
  place.away = false
  place.nowMs = 63_000
  await find('a')
  expect(new Set(heard)).toEqual(new Set(['the issuer is away', 'recovered']))
})

test('an issuer that is away is asked once a second, whatever comes in', async () => {
  const { place, find } = await setup()
  place.away = true
  for (let i = 0; i < 100; i += 1) {
    await expect(find('a')).rejects.toMatchObject({ reason: 'IDENTITY_UNAVAILABLE' })
  }
  expect(place.asked).toBe(1)
})

test('keys come from a file, as a JWKS or in PEM, where any token may mean them', async () => {
  await using folder = await createPemFolder()
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const other = await generateKeyPair('RS256')
  const both = `${await exportSPKI(other.publicKey)}\n${await exportSPKI(publicKey)}\n`
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a' }] })
  const files = await folder.write({
    both,
    jwks,
    other: '{"kty":"EC"}',
    secret: await exportPKCS8(privateKey),
  })

  const set = new KeySet({ load: () => loadKeys({ jwks: files.both }), onTrouble: () => {} })
  expect(await set.find(named('anything'), token)).toMatchObject({ type: 'public' })
  expect((await loadKeys({ jwks: files.jwks })).keys).toMatchObject([{ kty: 'EC', kid: 'a' }])
  await expect(loadKeys({ jwks: files.other })).rejects.toThrow(/cannot be had: it has no list/)
  await expect(loadKeys({ jwks: files.secret })).rejects.toThrow(/holds a private key/)
})

test('a url is asked with the authority and the token of the files that are named', async () => {
  await using folder = await createPemFolder()
  const authority = await createAuthority()
  const tls = await authority.issue()
  await using issuer = await startTestIssuer({ tls, bearer: 'let-me-in' })
  const { ca, right, wrong } = await folder.write({
    ca: authority.cert,
    right: 'let-me-in\n',
    wrong: 'who',
  })
  const place = { jwks: issuer.jwksUrl, jwksCa: ca, jwksTokenFile: right }
  expect((await loadKeys(place)).keys).toMatchObject([{ kid: 'key-1' }])
  await expect(loadKeys({ ...place, jwksTokenFile: wrong })).rejects.toThrow(/answers 401/)
  await expect(loadKeys({ ...place, jwksCa: undefined })).rejects.toThrow(/certificate/)
})

test('an answer that is too large, late or none is an error that says so', async () => {
  await using issuer = await startTestIssuer()
  const jwks = issuer.jwksUrl
  issuer.answer(500)
  await expect(loadKeys({ jwks })).rejects.toThrow(`${jwks} cannot be had: it answers 500`)
  issuer.answer(302)
  await expect(loadKeys({ jwks })).rejects.toThrow(/it answers 302/)
  issuer.answer({ text: 'x'.repeat(300_000) })
  await expect(loadKeys({ jwks })).rejects.toThrow(/more than 262144 bytes/)
  issuer.answer({ text: 'hello' })
  await expect(loadKeys({ jwks })).rejects.toThrow(/neither a JWKS nor keys in PEM/)
  issuer.answer('never')
  await expect(loadKeys({ jwks }, { timeoutMs: 50 })).rejects.toThrow(/no answer within 50 ms/)
})
