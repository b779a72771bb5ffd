import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Metadata } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { Credential } from './credential.ts'
import { tokensOf } from './token-source.ts'

const NOW_MS = 1_800_000_000_000

/** A JWT that ends so many seconds after {@link NOW_MS}; only its end is looked at. */
function jwt(name: string, endsInS: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: name, exp: NOW_MS / 1_000 + endsInS })}.${name}`
}

function setup(tokens: (string | Error)[]) {
  const it = { nowMs: NOW_MS, asked: 0 }
  const token = async () => {
    it.asked += 1
    const next = tokens[Math.min(it.asked, tokens.length) - 1]
    if (next instanceof Error) throw next
    return next ?? ''
  }
  return { it, credential: new Credential({ token, user: 'ann', now: () => it.nowMs }) }
}

const nameIn = (metadata: Metadata | undefined) =>
  String(metadata?.get('authorization')[0]).split('.').at(-1)

test('a function is called once for all calls that need its token, and not again while it lasts', async () => {
  const { it, credential } = setup([jwt('a', 600)])
  const calls = Array.from({ length: 20 }, async () => nameIn(await credential.metadata()))
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['a']))
  expect(credential.metadata()).not.toBeInstanceOf(Promise)
  expect(it.asked).toBe(1)
})

test('a token is renewed before it ends, and no call waits for that', async () => {
  const { it, credential } = setup([jwt('a', 600), jwt('b', 1_200)])
  await credential.metadata()
  it.nowMs += 545_000
  const still = credential.metadata()
  expect(still).not.toBeInstanceOf(Promise)
  expect(nameIn(await still)).toBe('a')
  await expect.poll(async () => nameIn(await credential.metadata())).toBe('b')
  expect(it.asked).toBe(2)
})

test('a function that fails while the token lasts fails no call; once it has ended it does', async () => {
  const { it, credential } = setup([jwt('a', 600), new Error('no way')])
  await credential.metadata()
  it.nowMs += 545_000
  expect(nameIn(await credential.metadata())).toBe('a')
  await expect.poll(() => it.asked).toBe(2)
  await Promise.resolve()
  for (let i = 0; i < 20; i += 1) expect(nameIn(await credential.metadata())).toBe('a')
  expect(it.asked).toBe(2)
  it.nowMs += 60_000
  await expect(credential.metadata()).rejects.toMatchObject({
    reason: 'TOKEN_UNAVAILABLE',
    message: 'the token function failed: no way',
  })
})

test('a token that is refused is renewed once, for however many calls', async () => {
  const { it, credential } = setup([jwt('a', 600), jwt('b', 600)])
  const refused = await credential.metadata()
  const next = await Promise.all(Array.from({ length: 20 }, () => credential.afterRefusal(refused)))
  expect(new Set(next.map(nameIn))).toEqual(new Set(['b']))
  expect(it.asked).toBe(2)
})

test('a source that has no other token than the refused one is told so', async () => {
  const { credential } = setup([jwt('a', 600)])
  expect(await credential.afterRefusal(await credential.metadata())).toBeUndefined()
  const fixed = new Credential({ token: 'abc' })
  expect(await fixed.afterRefusal(await fixed.metadata())).toBeUndefined()
})

test('a token that looks ended, as where clocks differ, is sent and asked for once a second', async () => {
  const { it, credential } = setup([jwt('a', -600)])
  for (let i = 0; i < 20; i += 1) expect(nameIn(await credential.metadata())).toBe('a')
  expect(it.asked).toBe(1)
  it.nowMs += 1_000
  await credential.metadata()
  expect(it.asked).toBe(2)
})

test('a token in place of the path of its file is not shown', async () => {
  const tokenFile = jwt('a', 6_000)
  const metadata = new Credential({ tokenFile }).metadata()
  await expect(metadata).rejects.toThrow('the token file is named by a token, not by its path')
  await expect(new Credential({ tokenFile }).metadata()).rejects.not.toThrow(tokenFile)
})

test('a file is read again as it changes; one that is missing or empty is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-token-'))
  const tokenFile = join(folder, 'token')
  let nowMs = NOW_MS
  const credential = new Credential({ tokenFile, now: () => nowMs })
  await expect(credential.metadata()).rejects.toThrow(`the token file ${tokenFile} does not exist`)
  await writeFile(tokenFile, '\n')
  await expect(credential.metadata()).rejects.toThrow(`the token file ${tokenFile} gave an empty`)
  await writeFile(tokenFile, `${jwt('a', 6_000)}\n`)
  expect(nameIn(await credential.metadata())).toBe('a')
  await writeFile(tokenFile, jwt('b', 6_000))
  nowMs += 61_000
  await expect.poll(async () => nameIn(await credential.metadata())).toBe('b')
  await rm(folder, { recursive: true })
})

test('whose calls they are is told as its token says, and as development mode believes where there is none', async () => {
  const { credential } = setup([jwt('bob', 600)])
  expect(await credential.caller()).toBe('bob')
  expect(await new Credential({ token: jwt('eve', 600) }).caller()).toBe('eve')
  expect(await new Credential({ token: 'opaque', user: 'ann' }).caller()).toBe('ann')
  expect(await new Credential({ user: 'ann' }).caller()).toBe('ann')
  expect(await new Credential({}).caller()).toBe('')
})

test.each([
  [
    'throws',
    () => Promise.reject(new TypeError('login failed')),
    'the token function failed: login failed',
  ],
  ['gives no text', () => 42, 'the token function gave 42, not a text'],
  ['gives nothing', () => '', 'the token function gave an empty text'],
  ['gives what is no token', () => 'secret text', 'the token function gave a text with characters'],
  ['hangs', () => new Promise(() => {}), 'the token function gave no answer within 50 ms'],
])('a function that %s is told by what it did', async (_what, give, message) => {
  const failed = tokensOf(give, 50).next()
  await expect(failed).rejects.toMatchObject({ reason: 'TOKEN_UNAVAILABLE' })
  await expect(failed).rejects.toThrow(message)
  await expect(failed).rejects.not.toThrow('secret text')
})
