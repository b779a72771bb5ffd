import {
  type Authority,
  createAuthority,
  createPemFolder,
  type PemFolder,
  startPostgres,
  type TestPostgres,
} from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError, UnavailableError } from '../config/mod.ts'
import { isConnectionError } from './errors.ts'
import { openConfiguredPostgres } from './open-configured.ts'
import { openPostgres } from './postgres.ts'

let server: TestPostgres
let folder: PemFolder
let authority: Authority
let files: Record<'ca' | 'stranger' | 'cert' | 'key' | 'strangerCert' | 'strangerKey', string>

beforeAll(async () => {
  authority = await createAuthority()
  const stranger = await createAuthority()
  // For the address, and for no name.
  const own = await authority.issue({ hosts: [] })
  server = await startPostgres({
    tls: { ...own, clientCa: authority.cert },
    hba: [
      'hostnossl all postgres 127.0.0.1/32 trust',
      'hostssl all known 127.0.0.1/32 scram-sha-256',
      'hostssl all certified 127.0.0.1/32 cert',
    ].join('\n'),
  })
  await asAdmin("CREATE ROLE known LOGIN PASSWORD 'sesame'; CREATE ROLE certified LOGIN")
  const [client, other] = [
    await authority.issue({ name: 'certified' }),
    await stranger.issue({ name: 'certified' }),
  ]
  folder = await createPemFolder()
  files = await folder.write({
    ca: authority.cert,
    stranger: stranger.cert,
    ...client,
    strangerCert: other.cert,
    strangerKey: other.key,
  })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function asAdmin(text: string): Promise<void> {
  await using database = await openPostgres({ url: server.url })
  await database.query({ name: '', text })
}

const url = (user: string, parameters: string, host = '127.0.0.1') =>
  `postgres://${user}@${host}:${server.port}/postgres?${parameters}`

/** Whether the connection that answers is encrypted, or the fault of the start. */
async function outcome(target: string, passwordFile?: string): Promise<unknown> {
  try {
    await using database = await openConfiguredPostgres('DATABASE_URL', {
      url: target,
      passwordFile,
    })
    const text = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
    return (await database.query<{ ssl: boolean }>({ name: '', text })).rows[0]?.ssl
  } catch (error) {
    expect(error).not.toBeInstanceOf(UnavailableError)
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ variable, problem }) => `${variable}: ${problem}`).join()
  }
}

test('verify-full takes the server whose certificate is for the host, and encrypts', async () => {
  const ca = `sslrootcert=${files.ca}`
  expect(await outcome(url('known:sesame', `sslmode=verify-full&${ca}`))).toBe(true)
  expect(await outcome(url('known:sesame', ca))).toBe(true)
})

test('a certificate for another host is refused, unless verify-ca asks for the authority alone', async () => {
  const ca = `sslrootcert=${files.ca}`
  const elsewhere = await outcome(url('known:sesame', `sslmode=verify-full&${ca}`, 'localhost'))
  expect(elsewhere).toMatch(/^DATABASE_URL: .*localhost.*not.*certificate/is)
  expect(await outcome(url('known:sesame', `sslmode=verify-ca&${ca}`, 'localhost'))).toBe(true)
})

test('a server of an unknown authority is refused', async () => {
  for (const mode of ['verify-full', 'verify-ca']) {
    const fault = await outcome(
      url('known:sesame', `sslmode=${mode}&sslrootcert=${files.stranger}`),
    )
    expect(fault).toMatch(/^DATABASE_URL: .*certificate/)
  }
  expect(await outcome(url('known:sesame', 'sslmode=verify-full'))).toMatch(/certificate/)
})

test('a server whose certificate has ended is refused, and no refusal shows the password', async () => {
  const ended = await authority.issue({ hosts: [], validUntil: new Date(Date.now() - 60_000) })
  await using late = await startPostgres({ tls: { ...ended, clientCa: authority.cert } })
  const target = `postgres://known:sesame@127.0.0.1:${late.port}/postgres?sslmode=verify-full&sslrootcert=${files.ca}`
  const strangers = url('known:sesame', `sslmode=verify-full&sslrootcert=${files.stranger}`)
  const elsewhere = url('known:sesame', `sslrootcert=${files.ca}`, 'localhost')
  const faults = [await outcome(target), await outcome(strangers), await outcome(elsewhere)]
  expect(faults[0]).toMatch(/^DATABASE_URL: .*certificate has expired/)
  expect(faults.join()).not.toContain('sesame')
})

test('a certificate logs in, and one of a stranger does not', async () => {
  const ca = `sslrootcert=${files.ca}`
  const own = `sslcert=${files.cert}&sslkey=${files.key}`
  expect(await outcome(url('certified', `${ca}&${own}`))).toBe(true)
  expect(await outcome(url('certified', ca))).toMatch(/^DATABASE_URL: .*certificate/)
  const strangers = `sslcert=${files.strangerCert}&sslkey=${files.strangerKey}`
  await expect(openPostgres({ url: url('certified', `${ca}&${strangers}`) })).rejects.toThrow()
})

test('a server without TLS is refused by a url that wants it', async () => {
  await using plain = await startPostgres()
  const target = `${plain.url}?sslmode=verify-full&sslrootcert=${files.ca}`
  expect(await outcome(target)).toMatch(/^DATABASE_URL: .*does not support SSL/)
})

test('a file that cannot be read is a fault of the url, told by its path', async () => {
  expect(await outcome(url('known:sesame', 'sslrootcert=/none.pem'))).toMatch(
    /^DATABASE_URL: the file \/none\.pem does not exist/,
  )
  expect(await outcome(url('known', `sslrootcert=${files.ca}`), '/none')).toMatch(
    /^DATABASE_URL: the password file \/none cannot be read/,
  )
})

test('a password and certificates that are replaced hold from the next connection on', async () => {
  const { ca, password } = await folder.write({ ca: authority.cert, password: 'sesame\n' })
  const target = url('known', `sslmode=verify-full&sslrootcert=${ca}`)
  await using database = await openPostgres({ url: target, passwordFile: password, poolSize: 1 })
  const one = { name: '', text: 'SELECT 1 AS one' }
  const disconnect = () =>
    asAdmin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'known'")
  const failing = () =>
    expect.poll(() => database.query(one).catch((error) => error)).toBeInstanceOf(Error)

  await asAdmin("ALTER ROLE known PASSWORD 'abracadabra'")
  await disconnect()
  await failing()
  const refused = await database.query(one).catch((error) => error)
  expect(isConnectionError(refused)).toBe(true)
  await folder.write({ password: 'abracadabra\n' })
  expect((await database.query(one)).rows).toEqual([{ one: 1 }])

  const { cert: strangers } = await createAuthority()
  await folder.write({ ca: strangers })
  await disconnect()
  await failing()
  await folder.write({ ca: `${strangers}${authority.cert}` })
  expect((await database.query(one)).rows).toEqual([{ one: 1 }])
})
