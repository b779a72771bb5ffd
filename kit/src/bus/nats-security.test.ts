import { nkeys } from '@nats-io/transport-node'
import {
  type Authority,
  createAuthority,
  createPemFolder,
  type PemFolder,
  startNats,
  type TestNats,
  until,
} from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../config/mod.ts'
import { type NatsConfig, natsFields, openConfiguredNats } from './nats-settings.ts'

let authority: Authority
let stranger: Authority
let folder: PemFolder
let files: Record<'ca' | 'strangerCa' | 'cert' | 'key', string>

beforeAll(async () => {
  authority = await createAuthority()
  stranger = await createAuthority()
  folder = await createPemFolder()
  const client = await authority.issue()
  files = await folder.write({ ca: authority.cert, strangerCa: stranger.cert, ...client })
})
afterAll(() => folder[Symbol.asyncDispose]())

/** A server that asks for certificates of the authority, with one of its own for these. */
async function secureNats(place: { hosts: string[]; addresses: string[] }): Promise<TestNats> {
  const own = await authority.issue(place)
  const named = await folder.write({ serverCert: own.cert, serverKey: own.key })
  return startNats({
    config: `tls { cert_file: "${named.serverCert}", key_file: "${named.serverKey}", ca_file: "${files.ca}", verify: true }`,
  })
}

/** Whether a message gets through, or the fault of the start. */
async function outcome(natsUrl: string, env: Record<string, string> = {}): Promise<string> {
  const config: NatsConfig & { natsUrl: string } = { ...readConfig(natsFields, env), natsUrl }
  try {
    await using bus = await openConfiguredNats(config, { name: 'test', onError: () => {} })
    const heard = Promise.withResolvers<string>()
    bus.subscribe('a', ({ payload }) => heard.resolve(new TextDecoder().decode(payload)))
    await bus.flush()
    bus.publish('a', 'through')
    return await Promise.race([heard.promise, bus.flush().then(() => 'nothing')])
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

test('a server of the authority is taken by name and by address, and nothing else is', async () => {
  await using byAddress = await secureNats({ hosts: [], addresses: ['127.0.0.1'] })
  const mutual = {
    OFFSTAGE_NATS_CA: files.ca,
    OFFSTAGE_NATS_CERT: files.cert,
    OFFSTAGE_NATS_KEY: files.key,
  }
  const [address, name] = [
    `nats://127.0.0.1:${byAddress.port}`,
    `nats://localhost:${byAddress.port}`,
  ]
  expect(await outcome(address, mutual)).toBe('through')
  expect(await outcome(name, mutual)).toMatch(/OFFSTAGE_NATS_URL: cannot use NATS: .*localhost/)
  expect(await outcome(address, { ...mutual, OFFSTAGE_NATS_CA: files.strangerCa })).toMatch(
    /OFFSTAGE_NATS_URL: cannot use NATS: .*certificate/,
  )
  expect(await outcome(`tls://127.0.0.1:${byAddress.port}`)).toMatch(/certificate/)

  await using byName = await secureNats({ hosts: ['localhost'], addresses: ['127.0.0.2'] })
  expect(await outcome(`nats://localhost:${byName.port}`, mutual)).toBe('through')
  expect(await outcome(`nats://127.0.0.1:${byName.port}`, mutual)).toMatch(
    /cannot use NATS: .*127\.0\.0\.1/,
  )
})

test('a server without TLS is refused where TLS is asked for', async () => {
  await using plain = await startNats()
  expect(await outcome(plain.url, { OFFSTAGE_NATS_CA: files.ca })).toMatch(/cannot use NATS: .*tls/)
})

const login = (text: string) => startNats({ config: `authorization { ${text} }` })

test('a password or a token comes from the url or from a file', async () => {
  const { good, bad } = await folder.write({ good: 'sesame\n', bad: 'wrong' })
  await using users = await login('user: "ann", password: "sesame"')
  const at = (who: string, { port }: TestNats) => `nats://${who}127.0.0.1:${port}`
  expect(await outcome(at('ann:sesame@', users))).toBe('through')
  expect(await outcome(at('ann@', users), { OFFSTAGE_NATS_PASSWORD_FILE: good })).toBe('through')
  const refused = await outcome(at('ann@', users), { OFFSTAGE_NATS_PASSWORD_FILE: bad })
  expect(refused).toMatch(/OFFSTAGE_NATS_URL: cannot use NATS: .*authorization/i)
  expect(refused).not.toContain('wrong')

  await using tokens = await login('token: "sesame"')
  expect(await outcome(at('sesame@', tokens))).toBe('through')
  expect(await outcome(at('', tokens), { OFFSTAGE_NATS_PASSWORD_FILE: good })).toBe('through')
  expect(await outcome(at('', tokens))).toMatch(/authorization/i)
})

test('an nkey logs in by its seed', async () => {
  const [own, other] = [nkeys.createUser(), nkeys.createUser()]
  const text = (key: typeof own) => new TextDecoder().decode(key.getSeed())
  const { seed, otherSeed } = await folder.write({ seed: `${text(own)}\n`, otherSeed: text(other) })
  await using nats = await login(`users: [{ nkey: ${own.getPublicKey()} }]`)
  expect(await outcome(nats.url, { OFFSTAGE_NATS_NKEY_FILE: seed })).toBe('through')
  expect(await outcome(nats.url, { OFFSTAGE_NATS_NKEY_FILE: otherSeed })).toMatch(/authorization/i)
})

/** A server that takes users of one account, and what is in the creds file of a new one. */
async function natsOfOperator() {
  const [operator, account] = [nkeys.createOperator(), nkeys.createAccount()]
  const operatorJwt = jwt(operator, operator, { type: 'operator' })
  const accountJwt = jwt(operator, account, { type: 'account', limits: UNLIMITED })
  const nats = await startNats({
    config: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
  })
  const newUser = () => {
    const user = nkeys.createUser()
    const userJwt = jwt(account, user, { type: 'user', subs: -1, data: -1, payload: -1 })
    const seed = new TextDecoder().decode(user.getSeed())
    const creds = `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n
-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`
    return { userJwt, seed, creds }
  }
  return { nats, newUser, [Symbol.asyncDispose]: () => nats[Symbol.asyncDispose]() }
}

test('a creds file logs in by the JWT in it', async () => {
  await using it = await natsOfOperator()
  const { creds } = await folder.write({ creds: it.newUser().creds })
  expect(await outcome(it.nats.url, { OFFSTAGE_NATS_CREDS_FILE: creds })).toBe('through')
  expect(await outcome(it.nats.url)).toMatch(/authorization/i)
})

test('certificates that are replaced hold from the next connection on', async () => {
  const { rotated } = await folder.write({ rotated: authority.cert })
  await using nats = await secureNats({ hosts: [], addresses: ['127.0.0.1'] })
  const config = readConfig(natsFields, {
    OFFSTAGE_NATS_CA: rotated,
    OFFSTAGE_NATS_CERT: files.cert,
    OFFSTAGE_NATS_KEY: files.key,
  })
  const onError = () => {}
  await using bus = await openConfiguredNats(
    { ...config, natsUrl: nats.url },
    { name: 'test', onError },
  )
  expect(bus.status).toBe('connected')
  await folder.write({ rotated: stranger.cert })
  await nats.stop()
  await nats.start()
  await expect.poll(() => nats.log, { timeout: 15_000 }).toMatch(/TLS handshake error/)
  expect(bus.status).toBe('disconnected')
  await folder.write({ rotated: authority.cert })
  await expect.poll(() => bus.status, { timeout: 15_000 }).toBe('connected')
})

const UNLIMITED = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
}

/** As `nsc` makes them: signed by the issuer's nkey. */
function jwt(
  issuer: ReturnType<typeof nkeys.createUser>,
  subject: ReturnType<typeof nkeys.createUser>,
  nats: object,
): string {
  const part = (of: object | Uint8Array) =>
    Buffer.from(of instanceof Uint8Array ? of : JSON.stringify(of)).toString('base64url')
  const claims = { jti: 'x', iat: 1, iss: issuer.getPublicKey(), sub: subject.getPublicKey() }
  const head = part({ typ: 'JWT', alg: 'ed25519-nkey' })
  const signed = `${head}.${part({ ...claims, nats: { ...nats, version: 2 } })}`
  return `${signed}.${part(issuer.sign(Buffer.from(signed)))}`
}

/** A bus to a server that is lost and comes back, and what it reports. */
async function connected(nats: TestNats, env: Record<string, string>, natsUrl = nats.url) {
  const told: string[] = []
  const onError = (error: unknown) => told.push(String(error))
  const config = { ...readConfig(natsFields, env), natsUrl }
  const bus = await openConfiguredNats(config, { name: 'test', onError })
  expect(bus.status).toBe('connected')
  const backAgain = async () => {
    await nats.stop()
    await until(() => bus.status === 'disconnected')
    await nats.start()
  }
  return { bus, told, backAgain, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() }
}

test('why a server that came back is not taken is reported, once, and it is taken when that is mended', async () => {
  const place = { hosts: [], addresses: ['127.0.0.1'] }
  await using nats = await secureNats(place)
  const mutual = {
    OFFSTAGE_NATS_CA: files.ca,
    OFFSTAGE_NATS_CERT: files.cert,
    OFFSTAGE_NATS_KEY: files.key,
  }
  await using it = await connected(nats, mutual)
  const other = await stranger.issue(place)
  await folder.write({ serverCert: other.cert, serverKey: other.key })
  await it.backAgain()
  await until(() => it.told.length > 0, { timeoutMs: 20_000, what: 'a report' })
  expect(it.told.join()).toMatch(/certificate/)
  const own = await authority.issue(place)
  await folder.write({ serverCert: own.cert, serverKey: own.key })
  await nats.stop()
  await nats.start()
  await until(() => it.bus.status === 'connected', { timeoutMs: 20_000, what: 'a connection' })
  expect(it.told).toHaveLength(1)
}, 60_000)

test('that a login is not taken any more is reported', async () => {
  await using nats = await startNats({ user: 'offstage', password: 'right' })
  const { password } = await folder.write({ password: 'right' })
  const env = { OFFSTAGE_NATS_PASSWORD_FILE: password }
  await using it = await connected(nats, env, nats.url.replace('//', '//offstage@'))
  await folder.write({ password: 'wrong' })
  await it.backAgain()
  await until(() => /authorization/i.test(it.told.join()), { timeoutMs: 20_000, what: 'a report' })
  expect(it.told.join()).not.toMatch(/right|wrong/)
}, 60_000)

test('an nkey that is replaced holds from the next connection on, and one that is half written is waited for', async () => {
  const [old, next] = [nkeys.createUser(), nkeys.createUser()]
  const seedOf = (key: typeof old) => new TextDecoder().decode(key.getSeed())
  const { rotating } = await folder.write({ rotating: seedOf(old) })
  const users = [old, next].map((key) => `{ nkey: ${key.getPublicKey()} }`)
  await using nats = await login(`users: [${users.join(', ')}]`)
  await using it = await connected(nats, { OFFSTAGE_NATS_NKEY_FILE: rotating })
  for (const half of ['', seedOf(next).slice(0, 20)]) {
    await folder.write({ rotating: half })
    await it.backAgain()
    await until(() => it.told.length > 0, { timeoutMs: 20_000, what: 'a report' })
    expect(it.told.join()).not.toContain(seedOf(next).slice(0, 20))
    await folder.write({ rotating: seedOf(next) })
    await until(() => it.bus.status === 'connected', { timeoutMs: 20_000 })
    it.told.length = 0
  }
})

test('creds that are replaced hold from the next connection on, and such that are half written are waited for', async () => {
  await using place = await natsOfOperator()
  const { nats, newUser } = place
  const { changing } = await folder.write({ changing: newUser().creds })
  await using it = await connected(nats, { OFFSTAGE_NATS_CREDS_FILE: changing })
  for (const part of [0, 0.3, 0.9]) {
    const { creds, seed, userJwt } = newUser()
    await folder.write({ changing: creds.slice(0, creds.length * part) })
    await it.backAgain()
    await until(() => it.told.length > 0, { timeoutMs: 20_000, what: 'a report' })
    expect(it.told.join()).not.toContain(seed.slice(0, 12))
    expect(it.told.join()).not.toContain(userJwt.slice(-20))
    await folder.write({ changing: creds })
    await until(() => it.bus.status === 'connected', { timeoutMs: 20_000 })
    it.told.length = 0
  }
}, 60_000)
