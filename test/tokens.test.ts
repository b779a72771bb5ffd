/** Tokens against a running scheduler and storage: good ones, bad ones, and keys that change meanwhile. */
import { setTimeout as pause } from 'node:timers/promises'
import { JobServiceService } from '@offstage/proto/jobs'
import { StorageServiceService } from '@offstage/proto/storage'
import { Offstage } from '@offstage/sdk'
import type { TestTokenOptions } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { callAnyRpc } from './cluster/any-rpc.ts'
import { double } from './cluster/jobs.ts'
import { type Identified, startIdentified } from './testing/identified.ts'

const RUNNER = 'system:serviceaccount:apps:runner'
const grants = [{ subject: RUNNER, roles: ['executor'], namespaces: ['default'] }]

let it: Identified
beforeAll(async () => {
  it = await startIdentified({ entry: { grants, clockTolerance: '1s' } })
})
afterAll(() => it[Symbol.asyncDispose]())

const ann: TestTokenOptions = { user: 'ann' }
const nobody = { roles: undefined, namespaces: undefined }

/** What both services answer to a call with this header. */
async function answersTo(authorization: string) {
  const rpcs = [
    { address: it.scheduler, definition: JobServiceService.listJobs },
    { address: it.storage, definition: StorageServiceService.listValues },
  ]
  const answers = rpcs.map((rpc) =>
    callAnyRpc(rpc, { namespace: 'default' }, { authorization, 'offstage-user': 'root' }),
  )
  return (await Promise.all(answers)).map(({ outcome }) => outcome)
}

describe('both services refuse a call', () => {
  test.each<[string, string, () => Promise<string> | string]>([
    ['without a token', 'TOKEN_MISSING', () => ''],
    ['with a password', 'TOKEN_INVALID', () => 'Basic YTpi'],
    ['with what is no token', 'TOKEN_INVALID', () => 'Bearer abc'],
    ['after its end', 'TOKEN_EXPIRED', async () => bearer({ ...ann, endsInS: -10 })],
    ['before its time', 'TOKEN_NOT_YET_VALID', () => bearer({ ...ann, claims: { nbf: 4e9 } })],
    ['for another', 'TOKEN_WRONG_AUDIENCE', () => bearer({ ...ann, claims: { aud: 'x' } })],
    ['by a stranger', 'TOKEN_INVALID', () => bearer({ ...ann, claims: { iss: 'x' } })],
    ['with an unknown key', 'TOKEN_INVALID', () => bearer({ ...ann, header: { kid: 'x' } })],
    ['without a namespace', 'TOKEN_NO_NAMESPACE', () => bearer({ ...ann, namespaces: [] })],
    ['unsigned', 'TOKEN_INVALID', async () => unsigned(await bearer(ann))],
    ['without a role', 'PERMISSION_DENIED', () => bearer({ ...ann, roles: ['editor'] })],
    [
      'to a namespace of others',
      'NAMESPACE_NOT_FOUND',
      () => bearer({ ...ann, namespaces: ['x'] }),
    ],
  ])('%s', async (_how, reason, make) => {
    expect(await answersTo(await make())).toEqual([reason, reason])
  })

  test('and take a good one', async () => {
    expect(await answersTo(await bearer(ann))).toEqual(['OK', 'OK'])
  })
})

test('an executor attaches with the token Kubernetes gives it, and runs the jobs of users', async () => {
  const token = await it.issuer.sign({ user: RUNNER, claims: nobody })
  await it.startExecutor(token)
  await using offstage = await connect(() => it.issuer.sign(ann))
  expect(await offstage.run(double, { n: 4 })).toBe(8)
  await using bob = await connect(() => it.issuer.sign({ user: 'bob' }))
  expect((await bob.listJobsPage()).jobs).toEqual([])
})

test('while keys cannot be had it is said so, and forgotten once they can', async () => {
  await using other = await startIdentified()
  other.issuer.answer(503)
  const { scheduler, storage } = other
  const token = await other.issuer.sign(ann)
  const rpc = { address: scheduler, definition: JobServiceService.listJobs }
  const { outcome } = await callAnyRpc(rpc, {}, { authorization: `Bearer ${token}` })
  expect(outcome).toBe('IDENTITY_UNAVAILABLE')
  // The client repeats its call until it is answered.
  await using offstage = await Offstage.connect({ scheduler, storage, token })
  const listed = offstage.listJobsPage()
  other.issuer.answer('keys')
  expect((await listed).jobs).toEqual([])
  // From now on the keys are known, and the issuer may be away.
  other.issuer.answer('never')
  const { issuer } = other
  await using bob = await Offstage.connect({ scheduler, storage, token: await issuer.sign(ann) })
  expect((await bob.listJobsPage()).jobs).toEqual([])
})

test('keys change under load, and no call fails', async () => {
  let done = false
  let calls = 0
  const tokens = new Set<string>()
  const callers = Array.from({ length: 8 }, async (_, n) => {
    await using offstage = await connect(async () => {
      const token = await it.issuer.sign({ user: `user-${n}`, endsInS: 3 })
      tokens.add(token)
      return token
    })
    while (!done) {
      await offstage.listJobsPage()
      await offstage.storage.put({ n })
      calls += 1
      // Else they take all the CPU there is.
      await pause(20)
    }
  })
  for (let turn = 0; turn < 4; turn += 1) {
    const before = tokens.size
    // The key from before stays as long as its tokens may be about.
    await it.issuer.rotate(1)
    while (tokens.size < before + 8) await pause(20)
  }
  done = true
  await Promise.all(callers)
  expect(calls).toBeGreaterThan(32)
})

async function bearer(options: TestTokenOptions): Promise<string> {
  return `Bearer ${await it.issuer.sign(options)}`
}

function unsigned(authorization: string): string {
  const [, claims] = authorization.split('.')
  const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
  return `Bearer ${header}.${claims}.`
}

function connect(token: () => Promise<string>): Promise<Offstage> {
  const { scheduler, storage } = it
  return Offstage.connect({ scheduler, storage, token })
}
