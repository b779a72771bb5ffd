/** How clients and executors come by another token when the one they have is refused. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Offstage, type OffstageError } from '@offstage/sdk'
import { programOf, until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { double, steps } from './cluster/jobs.ts'
import { type Identified, startIdentified } from './testing/identified.ts'

const MIB = 1024 * 1024

let it: Identified
beforeAll(async () => {
  it = await startIdentified()
  await it.startExecutor(await it.issuer.sign({ user: 'runner', roles: ['executor'] }))
})
afterAll(() => it[Symbol.asyncDispose]())

const good = () => it.issuer.sign({ user: 'ann' })
/** One that only the services know to have ended. */
const stale = () => it.issuer.sign({ user: 'ann', claims: { aud: 'somebody-else' } })

function connect(token: () => string | Promise<string>): Promise<Offstage> {
  const { scheduler, storage } = it
  return Offstage.connect({ scheduler, storage, token })
}

/** A client that has a token which will be refused, and is given a good one when it asks again. */
async function withStaleToken() {
  const asked = { times: 0 }
  const client = await connect(() => {
    asked.times += 1
    return asked.times === 1 ? stale() : good()
  })
  return Object.assign(client, { asked })
}

describe('a token that is refused is renewed once, unnoticed, by', () => {
  test.each<[string, (offstage: Offstage) => Promise<unknown>, unknown]>([
    ['a call', async (it) => (await it.listJobsPage()).jobs.length >= 0, true],
    ['many calls at once', (it) => all(() => it.countJobs().then(() => 'counted')), 'counted'],
    ['a job that is run', (it) => it.run(double, { n: 2 }), 4],
    ['a put', async (it) => (await it.storage.put('small')).size > 0, true],
    ['an upload', async (it) => (await it.storage.put(Buffer.alloc(5 * MIB))).size, 5 * MIB],
    ['a stream that is put', async (it) => (await it.storage.put(chunks(3))).size, 3 * MIB],
    ['a slow stream', async (it) => (await it.storage.put(Readable.from(slow()))).size, 2],
  ])('%s', async (_what, act, outcome) => {
    await using offstage = await withStaleToken()
    expect(await act(offstage)).toEqual(outcome)
    expect(offstage.asked.times).toBe(2)
  })

  test('a wait', async () => {
    await using starter = await connect(good)
    const { id } = await starter.startJob(steps, { count: 3, everyMs: 150 })
    await using offstage = await withStaleToken()
    const { state } = await offstage.job(id).waitForCompletion()
    expect(state).toBe('succeeded')
    expect(offstage.asked.times).toBe(2)
  })

  test('a value that is read, whole or as it is taken away', async () => {
    await using writer = await connect(good)
    for (const read of ['get', 'readAndDelete'] as const) {
      const { address } = await writer.storage.put({ a: 1 })
      await using offstage = await withStaleToken()
      expect(await offstage.storage[read](address)).toEqual({ a: 1 })
      expect(offstage.asked.times).toBe(2)
    }
  })
})

test('where there is no other token, or it is refused too, the call fails with the reason', async () => {
  const { scheduler, storage } = it
  await using fixed = await Offstage.connect({ scheduler, storage, token: await stale() })
  await expect(fixed.listJobsPage()).rejects.toMatchObject({ reason: 'TOKEN_WRONG_AUDIENCE' })
  let asked = 0
  await using renewing = await connect(() => {
    asked += 1
    return stale()
  })
  await expect(renewing.listJobsPage()).rejects.toMatchObject({ reason: 'TOKEN_WRONG_AUDIENCE' })
  expect(asked).toBe(2)
})

test('a function that gives no token is told of when the client connects', async () => {
  const failed = connect(() => {
    throw new Error('the login service is away')
  })
  const error = await failed.then(
    () => undefined,
    (reason: OffstageError) => reason,
  )
  expect(error).toMatchObject({
    reason: 'TOKEN_UNAVAILABLE',
    message: 'the token function failed: the login service is away',
    cause: expect.objectContaining({ message: 'the login service is away' }),
  })
})

test('a token file is read again where its token is refused', async () => {
  const { scheduler, storage } = it
  const tokenFile = `${it.tokenFile}.client`
  await writeFile(tokenFile, await stale())
  await using offstage = await Offstage.connect({ scheduler, storage, tokenFile })
  await writeFile(tokenFile, await good())
  await offstage.listJobsPage()
})

test('an executor whose token is refused reads its file again, and attaches', async () => {
  await using other = await startIdentified()
  const { issuer, scheduler, storage } = other
  const options = { user: 'runner', roles: ['executor'] }
  const starting = other.startExecutor(await issuer.sign({ ...options, claims: { aud: 'x' } }))
  // The scheduler has looked at the first one.
  await until(() => issuer.asked > 0)
  await writeFile(other.tokenFile, await issuer.sign(options))
  await starting
  const token = await issuer.sign({ user: 'ann' })
  await using offstage = await Offstage.connect({ scheduler, storage, token })
  expect(await offstage.run(double, { n: 1 })).toBe(2)
})

test('the command line takes its token from a file, and not from two places', async () => {
  const tokenFile = `${it.tokenFile}.cli`
  await writeFile(tokenFile, `${await good()}\n`)
  const env = {
    OFFSTAGE_SCHEDULER: it.scheduler,
    OFFSTAGE_STORAGE: it.storage,
    OFFSTAGE_TOKEN_FILE: tokenFile,
  }
  for (const command of [['list'], ['count']]) {
    expect(await commandLine(command, env)).toMatchObject({ code: 0 })
  }
  const both = await commandLine(['list'], { ...env, OFFSTAGE_TOKEN: 'abc' })
  expect(both).toMatchObject({ code: 78 })
  expect(both.stderr).toContain('OFFSTAGE_TOKEN_FILE: is set although OFFSTAGE_TOKEN is')
  const none = await commandLine(['list'], { ...env, OFFSTAGE_TOKEN_FILE: '/nowhere' })
  expect(none.stderr).toContain('the token file /nowhere does not exist')
})

const cli = fileURLToPath(new URL('../cli/src/main.ts', import.meta.url))

function commandLine(args: readonly string[], env: NodeJS.ProcessEnv) {
  const { promise, resolve } = Promise.withResolvers<{ code: number; stderr: string }>()
  execFile(
    process.execPath,
    [programOf(cli), ...args],
    { env: { ...process.env, ...env } },
    (error, _out, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }),
  )
  return promise
}

async function all(act: () => Promise<unknown>): Promise<unknown> {
  const [first, ...others] = await Promise.all(Array.from({ length: 300 }, act))
  return others.every((each) => each === first) ? first : others
}

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n += 1) yield Buffer.alloc(MIB, n)
}

/** The second piece comes only once the call has been refused. */
async function* slow(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a')
  await new Promise((resolve) => setTimeout(resolve, 200))
  yield Buffer.from('b')
}
