import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readSchedulerConfig } from '../config.ts'
import { keyFileReader, readKeyFile } from './key-file.ts'

const folder = await mkdtemp(join(tmpdir(), 'offstage-keys-'))
afterAll(() => rm(folder, { recursive: true }))
const path = join(folder, 'keys')

const pair = () => generateKeyPairSync('ed25519')
const pem = (key: KeyObject) =>
  String(key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }))
const jwk = (key: KeyObject, kid?: string) => ({ ...key.export({ format: 'jwk' }), kid })

describe('a key has the same name', () => {
  const { privateKey, publicKey } = pair()
  test.each<[string, string]>([
    ['as PEM', pem(privateKey)],
    ['as JWK', JSON.stringify(jwk(privateKey))],
    ['as JWKS', JSON.stringify({ keys: [jwk(privateKey)] })],
  ])('%s', async (_, text) => {
    await writeFile(path, text)
    const [signing] = readKeyFile(path)
    await writeFile(path, pem(pair().privateKey) + pem(publicKey))
    const [, verifying] = readKeyFile(path)
    expect(signing?.id).toMatch(/^[\w-]{43}$/)
    expect(verifying?.id).toBe(signing?.id)
    expect(signing?.privateKey).toBeDefined()
    expect(verifying?.privateKey).toBeUndefined()
  })
})

test('a JWK may bring a name of its own', async () => {
  await writeFile(path, JSON.stringify(jwk(pair().privateKey, '2026-11')))
  expect(readKeyFile(path).map(({ id }) => id)).toEqual(['2026-11'])
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
const twin = pair().privateKey

test.each<[string, string, RegExp]>([
  ['nothing', '', /is neither a JWK/],
  ['a public key first', pem(pair().publicKey), /must begin with a private key of Ed25519/],
  ['another kind of key', pem(rsa), /key 1 cannot be used: a key of Ed25519 is needed, not of rsa/],
  ['a key twice', pem(twin) + pem(twin), /two keys that are called/],
  ['no keys', '{"keys":[]}', /must begin with a private key/],
  ['a JWK that is none', '{"keys":[null]}', /key 1 cannot be used/],
  [
    'a broken block',
    '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
    /key 1 cannot/,
  ],
])(
  'a file with %s is refused at the start, naming the variable and no secret',
  async (_, text, problem) => {
    await writeFile(path, text)
    const read = () =>
      readSchedulerConfig({
        OFFSTAGE_SCHEDULER_DATABASE_URL: 'postgres://127.0.0.1/unused',
        OFFSTAGE_SCHEDULER_SIGNING_KEY_FILE: path,
      })
    expect(read).toThrow(problem)
    expect(read).toThrow('OFFSTAGE_SCHEDULER_SIGNING_KEY_FILE')
    expect(read).not.toThrow('AAAA')
  },
)

test('the file is read again when it changes, and one that is broken changes nothing', async () => {
  const [old, next] = [pair(), pair()]
  const problems: string[] = []
  const read = keyFileReader(path, (problem) => problems.push(problem))
  await writeFile(path, pem(old.privateKey))
  const [first] = read()
  await writeFile(path, '-----BEGIN')
  expect([read(), read()].map(([key]) => key?.id)).toEqual([first?.id, first?.id])
  expect(problems).toHaveLength(1)
  await writeFile(path, pem(next.privateKey) + pem(old.publicKey))
  const after = read()
  expect(after).toHaveLength(2)
  expect(after[1]?.id).toBe(first?.id)
})
