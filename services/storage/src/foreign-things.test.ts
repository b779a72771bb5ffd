/**
 * Values, uploads and scopes belong to the user and the namespace they were opened with: a stranger who names one learns nothing and
 * ends nothing, and is answered, to the letter, as if there were none.
 */
import { randomUUID } from 'node:crypto'
import { developmentAuthenticate, type Role } from '@offstage/kit/auth'
import type { Database } from '@offstage/kit/database'
import { PutValueHeader } from '@offstage/proto/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFreshDatabase } from './testing/fresh-database.ts'
import { refusalOf, type TestClient } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

/** `ann@elsewhere` is ann, with a token for another namespace; `sam:service@elsewhere` may do there what is done for others. */
const authenticate: typeof developmentAuthenticate = (metadata) => {
  const { user } = developmentAuthenticate(metadata)
  const [who = '', namespace = 'default'] = user.split('@')
  const [name = '', role = 'user'] = who.split(':')
  return { user: name, roles: [role as Role], namespaces: [namespace] }
}

/** What the database was asked, with how many rows it answered. */
const asked: string[] = []

async function openRecording(): Promise<Database> {
  const database = await openFreshDatabase()
  const query: Database['query'] = async (statement, values) => {
    const result = await database.query<never>(statement, values)
    asked.push(`${statement.name} ${result.rows.length}`)
    return result
  }
  return { ...database, query }
}

let ground: Ground
let service: Started
beforeAll(async () => {
  ground = await openGround(openRecording)
  service = await ground.start({}, { authenticate })
})
afterAll(async () => {
  await service[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

const bytes = Buffer.from('of ann')
const putParts = (client: TestClient, header: Partial<PutValueHeader>) =>
  client.putParts([
    { $case: 'header', value: PutValueHeader.fromPartial(header) },
    { $case: 'chunk', value: bytes },
  ])

type Things = Record<'scope' | 'address' | 'uploadId' | 'finished', string>

/** Everything of ann's that can be named. */
async function things() {
  const ann = service.client('ann')
  const { scope } = await ann.openScope()
  const { scope: closed } = await ann.openScope()
  await ann.closeScope(closed)
  const { address } = await ann.put(bytes, { requestId: randomUUID() })
  const { address: reserved } = await ann.reserve({ scope })
  const uploadId = await ann.startUpload()
  const finished = await ann.startUpload()
  await putParts(ann, { uploadId: finished })
  return { ann, scope, closed, address, reserved, uploadId, finished }
}

const scopeCalls = (client: TestClient, scope: string) => [
  client.keepScopeAlive(scope),
  client.closeScope(scope),
  client.put(bytes, { scope }),
  client.reserve({ scope }),
  client.startUpload({ scope }),
  client.list({ scope }),
]
const uploadCalls = (client: TestClient, uploadId: string) => [
  client.getUpload(uploadId),
  putParts(client, { uploadId }),
  putParts(client, { uploadId, offset: 3n }),
  putParts(client, { uploadId, contentType: 'text/plain' }),
]
const addressCalls = (client: TestClient, address: string) => [
  client.describe(address),
  client.get(address),
  client.readAndDelete(address),
  client.delete(address),
  client.put(bytes, { address }),
  client.startUpload({ address }),
]

const ONE_BY_ONE: Record<
  string,
  (client: TestClient, its: Things & { namespace: string }) => Promise<unknown>
> = {
  DescribeValue: (client, { address }) => client.describe(address),
  GetValue: (client, { address }) => client.get(address),
  ReadAndDeleteValue: (client, { address }) => client.readAndDelete(address),
  DeleteValue: (client, { address }) => client.delete(address),
  'PutValue, at an address': (client, { address }) => client.put(bytes, { address }),
  'StartUpload, at an address': (client, { address }) => client.startUpload({ address }),
  GetUpload: (client, { uploadId }) => client.getUpload(uploadId),
  'GetUpload, of one that is complete': (client, { finished }) => client.getUpload(finished),
  'PutValue, to go on': (client, { uploadId }) => putParts(client, { uploadId }),
  KeepScopeAlive: (client, { scope }) => client.keepScopeAlive(scope),
  CloseScope: (client, { scope }) => client.closeScope(scope),
  'PutValue, in a scope': (client, { scope, namespace }) => client.put(bytes, { scope, namespace }),
  ReserveAddress: (client, { scope, namespace }) => client.reserve({ scope, namespace }),
  'StartUpload, in a scope': (client, { scope, namespace }) =>
    client.startUpload({ scope, namespace }),
  ListValues: (client, { scope, namespace }) => client.list({ scope, namespace }),
}

const none = (prefix: string) => `${prefix}_${'0'.repeat(32)}`
const NONE: Things = {
  ...{ scope: none('scp'), address: none('val') },
  ...{ uploadId: none('upl'), finished: none('upl') },
}

/** Answers in full, the id that was named aside. */
function answersTo(calls: readonly Promise<unknown>[], id: string): Promise<string[]> {
  const plain = (answer: unknown) =>
    JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  return Promise.all(
    calls.map(async (call) => {
      const answer = await call.catch(() => refusalOf(call))
      return plain(answer).replaceAll(id, 'THE-ID')
    }),
  )
}

describe.each(['bob', 'ann@elsewhere', 'sam:service@elsewhere'])('%s', (stranger) => {
  test.each([
    ['scope', 'scp', scopeCalls],
    ['closed', 'scp', scopeCalls],
    ['uploadId', 'upl', uploadCalls],
    ['finished', 'upl', uploadCalls],
    ['address', 'val', addressCalls],
    ['reserved', 'val', addressCalls],
  ] as const)('is told of the %s of another what is told of none', async (what, prefix, calls) => {
    const its = await things()
    const client = service.client(stranger)
    const missing = none(prefix)
    const ofNone = await answersTo(calls(client, missing), missing)
    expect(await answersTo(calls(client, its[what]), its[what])).toEqual(ofNone)
  })

  test('ends and changes nothing of what they named', async () => {
    const { ann, ...its } = await things()
    const client = service.client(stranger)
    const asked = [
      ...scopeCalls(client, its.scope),
      ...[its.uploadId, its.finished].flatMap((id) => uploadCalls(client, id)),
      ...[its.address, its.reserved].flatMap((id) => addressCalls(client, id)),
    ]
    await Promise.allSettled(asked)
    await ann.keepScopeAlive(its.scope)
    expect((await ann.get(its.address)).bytes).toEqual(bytes)
    expect(await ann.getUpload(its.uploadId)).toMatchObject({ received: 0n })
    expect((await putParts(ann, { uploadId: its.uploadId })).owner).toBe('ann')
    expect((await ann.put(bytes, { address: its.reserved })).scope).toBe(its.scope)
  })

  test('has no other statement run, and no more rows read, for it than for what is missing', async () => {
    const its = await things()
    const client = service.client(stranger)
    const [, namespace = 'default'] = stranger.split('@')
    const runs = async (call: Promise<unknown>) => {
      asked.length = 0
      await call.catch(() => undefined)
      return [...asked]
    }
    for (const [name, call] of Object.entries(ONE_BY_ONE)) {
      const ofNone = await runs(call(client, { ...NONE, namespace }))
      const ofForeign = await runs(call(client, { ...its, namespace }))
      expect(ofForeign, name).toEqual(ofNone)
      expect(ofNone, name).not.toEqual([])
    }
  })
})
