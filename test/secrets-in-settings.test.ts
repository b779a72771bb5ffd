/** A service that cannot use its settings says which and why, and shows nothing of what is secret in them. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnProcess } from '@offstage/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

const main = (service: string) => new URL(`../services/${service}/src/main.ts`, import.meta.url)
const jobs = new URL('./cluster/jobs.ts', import.meta.url).pathname
const secret = randomBytes(12).toString('hex')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offstage-settings-'))
})
afterAll(() => rm(folder, { recursive: true }))

const ENOUGH = {
  OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1:1/none',
  OFFSTAGE_STORAGE_DATABASE_URL: 'postgres://127.0.0.1:1/none',
  OFFSTAGE_STORAGE_DATA_DIR: '/nowhere',
  OFFSTAGE_JOBS: jobs,
  OFFSTAGE_LOG_LEVEL: 'trace',
  OFFSTAGE_SCHEDULER_PORT: '0',
}

/** Contents of a file that are nearly what they should be. */
const FILES: Readonly<Record<string, string>> = {
  garbage: secret,
  json: `{"kty": "OKP", "d": ${secret}`,
  'half a key': `{"kty": "OKP", "crv": "Ed25519", "d": "${secret}", "x": "${secret}"}`,
  'a number for a key': '{"kty": "OKP", "crv": "Ed25519", "d": 1234567891234, "x": 1234567891234}',
  'a shared secret': `{"kty": "oct", "k": "${secret}"}`,
  pem: `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
  creds: `-----BEGIN NATS USER JWT-----\n${secret}\n------END NATS USER JWT------\n-----BEGIN USER NKEY SEED-----\nSU${secret}\n------END USER NKEY SEED------\n`,
  lines: `${secret}\n${secret}\u0000`,
}
/** Those of one line are read together. */
const FILE_VARIABLES: readonly (readonly [service: string, ...variables: string[]])[] = [
  [
    'scheduler',
    'OFFSTAGE_SCHEDULER_SIGNING_KEY_FILE',
    'OFFSTAGE_IDENTITY',
    'OFFSTAGE_TLS_SERVER_KEY',
    'OFFSTAGE_TLS_SERVER_CERT',
    'OFFSTAGE_NATS_KEY',
    'OFFSTAGE_NATS_CERT',
  ],
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_PASSWORD_FILE'],
  ['scheduler', 'OFFSTAGE_NATS_NKEY_FILE'],
  ['scheduler', 'OFFSTAGE_NATS_CREDS_FILE'],
  ['executor', 'OFFSTAGE_TOKEN_FILE'],
]
/** Whatever is no key is one more line to a reader of lines. */
const OF_LINES = ['garbage', 'creds', 'lines']

/** What is wrong as it stands in the variable, the content of a file in place of its path among it. */
const VALUES = [
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL', `postgres://me:${secret}@host:port/db`],
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL', `postgres//me:${secret}@host/db`],
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL', `me:${secret}@host/db`],
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL', `postgres://me:a/b#${secret}@127.0.0.1:1/db`],
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL', `postgres://127.0.0.1:1/db?password=${secret}`],
  ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL', `postgres://me:${secret}@elsewhere/db`],
  ['scheduler', 'OFFSTAGE_NATS_URL', `nats://me:${secret}@`],
  ['scheduler', 'OFFSTAGE_NATS_URL', `nats://${secret}@127.0.0.1:1`],
  ['scheduler', 'OFFSTAGE_NATS_URL', `http://${secret}@host`],
  ['executor', 'OFFSTAGE_TOKEN', `${secret}\n`],
  ['executor', 'OFFSTAGE_TOKEN', `${secret} é\u0001`],
  ['executor', 'OFFSTAGE_SCHEDULER', `${secret}@127.0.0.1:1`],
  ['executor', 'OFFSTAGE_TOKEN_FILE', `eyJhbGciOiJub25lIn0.${secret}.${secret}`],
  ['executor', 'OFFSTAGE_TLS_CA', FILES.pem ?? ''],
  ['scheduler', 'OFFSTAGE_NATS_CREDS_FILE', FILES.creds ?? ''],
] as const

/** Everything it said until it served or ended. */
async function saidBy(service: string, given: Readonly<Record<string, string>>): Promise<string> {
  const env = { ...ENOUGH, ...given }
  const ready = /serving gRPC|cannot be reached|NATS is gone|cannot attach|no stream to/
  const started = spawnProcess({ main: main(service), env, ready })
  const child = await started.catch((error: Error) => error)
  if (child instanceof Error) return child.message
  await child.kill('SIGKILL').catch(() => {})
  return child.stdout + child.stderr
}

test('urls, tokens and keys that cannot be used are not shown', { timeout: 120_000 }, async () => {
  const said = await Promise.all(
    VALUES.map(([service, variable, value]) => saidBy(service, { [variable]: value })),
  )
  for (const [index, [, variable, value]] of VALUES.entries()) {
    expect(said[index], `${variable} ${value}`).not.toContain(secret)
    expect(said[index]).toContain(variable)
  }
})

test.each(FILE_VARIABLES.map(([service, ...all]) => [all.join(', '), service, all] as const))(
  'of the files that %s name nothing is shown',
  { timeout: 120_000 },
  async (_names, service, variables) => {
    const kinds = variables.length > 1 ? Object.keys(FILES) : OF_LINES
    const look = async (kind: string) => {
      const file = join(folder, randomBytes(6).toString('hex'))
      await writeFile(file, FILES[kind] ?? '')
      const said = await saidBy(service, Object.fromEntries(variables.map((n) => [n, file])))
      expect(said, kind).not.toContain(secret.slice(0, 8))
      expect(said, kind).not.toContain('1234567891234')
      expect(said, kind).toContain(variables[0])
    }
    await Promise.all(kinds.map(look))
  },
)
