/**
 * Values, uploads and scopes belong to the user and the namespace they were opened with: a stranger who names one learns nothing and
 * ends nothing, and is answered, to the letter, as if there were none.
 */
import { randomUUID } from 'node:crypto'
import { developmentAuthenticate } from '@offstage/kit/auth'
import { type Database, openPglite, type Statement } from '@offstage/kit/database'
import { PutValueHeader } from '@offstage/proto/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusalOf, type TestClient } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

/** `ann@elsewhere` is ann, with a token for another namespace. */
const authenticate: typeof developmentAuthenticate = (metadata) => {
  const { user } = developmentAuthenticate(metadata)
  const [name = '', namespace = 'default'] = user.split('@')
  return { user: name, roles: ['user'], namespaces: [namespace] }
}

/** What the database was asked, with how many bytes it answered where it was asked for some. */
const asked: string[] = []

async function openRecording(): Promise<Database> {
  const database = await openPglite()
  const note = ({ name }: Statement, rows: readonly object[]) => {
    const bytes = rows.flatMap((row) => Object.values(row)).filter(Buffer.isBuffer)
    const heavy = bytes.filter(({ length }) => length > SHA256_BYTES)
    asked.push(`${name} ${heavy.length}`)
  }
  const query: Database['query'] = async (statement, values) => {
    const result = await database.query<never>(statement, values)
    note(statement, result.rows)
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

const SHA256_BYTES = 32
const bytes = Buffer.from('of ann, and more than a checksum has bytes')
const putParts = (client: TestClient, header: Partial<PutValueHeader>) =>
  client.putParts([
    { $case: 'header', value: PutValueHeader.fromPartial(header) },
    { $case: 'chunk', value: bytes },
  ])

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
  'address' | 'uploadId',
  Record<string, (client: TestClient, id: string) => Promise<unknown>>
> = {
  address: {
    DescribeValue: (client, address) => client.describe(address),
    GetValue: (client, address) => client.get(address),
    ReadAndDeleteValue: (client, address) => client.readAndDelete(address),
    DeleteValue: (client, address) => client.delete(address),
    PutValue: (client, address) => client.put(bytes, { address }),
    StartUpload: (client, address) => client.startUpload({ address }),
  },
  uploadId: {
    GetUpload: (client, uploadId) => client.getUpload(uploadId),
    PutValue: (client, uploadId) => putParts(client, { uploadId }),
  },
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

describe.each(['bob', 'ann@elsewhere'])('%s', (stranger) => {
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
    const missing = `${prefix}_${'0'.repeat(32)}`
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
})

test('what is foreign has no other statement run, and no more bytes read, than what is missing', async () => {
  const { ann: _ann, closed: _closed, ...its } = await things()
  const client = service.client('bob')
  const runs = async (calls: (id: string) => Promise<unknown>, id: string) => {
    asked.length = 0
    await calls(id).catch(() => undefined)
    return [...asked]
  }
  for (const [what, calls] of Object.entries(ONE_BY_ONE)) {
    for (const [name, call] of Object.entries(calls)) {
      const missing = `${what === 'address' ? 'val' : 'upl'}_${'0'.repeat(32)}`
      const ofNone = await runs((id) => call(client, id), missing)
      const ofForeign = await runs((id) => call(client, id), its[what as 'address' | 'uploadId'])
      expect(ofForeign, name).toEqual(ofNone)
      expect(ofNone, name).not.toEqual([])
    }
  }
})
