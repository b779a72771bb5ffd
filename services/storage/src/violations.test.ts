/** Bad requests are refused with the names of all fields that are wrong. */
import { randomBytes } from 'node:crypto'
import { PutValueHeader } from '@offstage/proto/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusalOf, type TestClient } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

const MIB = 1024 * 1024
const ADDRESS = `val_${'0'.repeat(32)}`

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start({ valueBytesMax: 3 * MIB })
  ann = storage.client('ann')
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

const header = (value: Partial<PutValueHeader> = {}) => ({
  $case: 'header' as const,
  value: PutValueHeader.fromPartial(value),
})
const chunk = (bytes: number) => ({ $case: 'chunk' as const, value: randomBytes(bytes) })
const trailer = (sha256: Buffer = Buffer.alloc(0)) => ({
  $case: 'trailer' as const,
  value: { sha256 },
})
const duration = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 })

describe('the header of a put', () => {
  test('names every field that is wrong at once', async () => {
    const bad = ann.put(Buffer.from('x'), {
      namespace: 'a b',
      address: '../../etc/passwd',
      contentType: 'x'.repeat(101),
      scope: 'scope',
      timeToLive: duration(31 * 86_400),
      sha256: Buffer.alloc(20),
      size: -1n,
      owner: 'o'.repeat(256),
      offset: 5n,
    })
    const refusal = await refusalOf(bad)
    expect(refusal.reason).toBe('INVALID_FIELD')
    expect(refusal.fields.toSorted()).toEqual(
      [
        ...['address', 'content_type', 'namespace', 'offset', 'owner', 'scope'],
        ...['sha256', 'size', 'time_to_live'],
      ].map((field) => `header.${field}`),
    )
  })

  test.each([-1, 0, 31 * 86_400])('refuses a time to live of %d seconds', async (seconds) => {
    const refusal = await refusalOf(ann.put(Buffer.alloc(1), { timeToLive: duration(seconds) }))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', fields: ['header.time_to_live'] })
  })
})

describe('each limit of a header holds: what is at it is taken, what is one beyond is refused', () => {
  const text = (length: number) => 'x'.repeat(length)
  test.each<[string, Partial<PutValueHeader>, Partial<PutValueHeader>]>([
    ['content_type', { contentType: `a/${text(98)}` }, { contentType: `a/${text(99)}` }],
    ['content_type', { contentType: 'a/b; c="d"' }, { contentType: 'a/b\r\nc: d' }],
    ['namespace', { namespace: text(63) }, { namespace: text(64) }],
    ['time_to_live', { timeToLive: duration(2_592_000) }, { timeToLive: duration(2_592_001) }],
    ['owner', { owner: text(255) }, { owner: text(256) }],
    ['request_id', { requestId: text(100) }, { requestId: text(101) }],
  ])('%s', async (field, atLimit, beyond) => {
    const { address } = await ann.put(Buffer.from('x'), atLimit)
    await ann.delete(address)
    const refusal = await refusalOf(ann.put(Buffer.from('x'), beyond))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', fields: [`header.${field}`] })
  })
})

test.each([
  ['lease', { lease: duration(5) }, { lease: duration(4) }],
  ['lease', { lease: duration(86_400) }, { lease: duration(86_401) }],
  ['display_name', { displayName: 'x'.repeat(200) }, { displayName: 'x'.repeat(201) }],
])('the limit of %s of a scope holds at it and one beyond', async (field, atLimit, beyond) => {
  const { scope } = await ann.openScope(atLimit)
  await ann.closeScope(scope)
  const refusal = await refusalOf(ann.openScope(beyond))
  expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', fields: [field] })
})

describe('the parts of a put', () => {
  test.each([
    ['no part at all', [], 'header'],
    ['a chunk before the header', [chunk(1)], 'header'],
    ['two headers', [header(), chunk(1), header()], 'header'],
    ['a chunk over 1 MiB', [header(), chunk(MIB + 1)], 'chunk'],
    ['fewer bytes than announced', [header({ size: 5n }), chunk(4)], 'header.size'],
    ['more bytes than announced', [header({ size: 5n }), chunk(6)], 'header.size'],
    ['bytes where none were announced', [header({ size: 0n }), chunk(1)], 'header.size'],
    ['an end without the trailer promised', [header({ trailer: true }), chunk(MIB)], 'trailer'],
    ['a trailer nobody promised', [header(), chunk(1), trailer()], 'trailer'],
    ['a chunk after the trailer', [header({ trailer: true }), trailer(), chunk(1)], 'chunk'],
    ['two trailers', [header({ trailer: true }), trailer(), trailer()], 'trailer'],
    [
      'a trailer with half a checksum',
      [header({ trailer: true }), trailer(Buffer.alloc(16))],
      'trailer.sha256',
    ],
  ])('%s is refused and leaves nothing', async (_title, parts, field) => {
    const refusal = await refusalOf(ann.putParts(parts))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', fields: [field] })
    expect(await ground.run('SELECT FROM offstage_storage.temp_values')).toHaveLength(0)
    expect(await ground.blobFiles()).toEqual([])
  })

  test('a message without a part is refused', async () => {
    const { stream, answer } = ann.beginPut()
    stream.write({ part: undefined })
    expect(await refusalOf(answer)).toMatchObject({ reason: 'INVALID_FIELD', fields: ['part'] })
  })

  test.each([10, 2 * MIB])('%d bytes with another checksum are refused', async (bytes) => {
    const parts = [header({ sha256: Buffer.alloc(32) }), ...chunks(bytes)]
    expect((await refusalOf(ann.putParts(parts))).reason).toBe('CHECKSUM_MISMATCH')
    expect(await ground.blobFiles()).toEqual([])
  })

  test('a value over the limit is refused, at once where its size is announced', async () => {
    const announced = await refusalOf(ann.putParts([header({ size: BigInt(4 * MIB) })]))
    expect(announced.reason).toBe('VALUE_TOO_LARGE')
    const sent = await refusalOf(ann.putParts([header(), ...chunks(4 * MIB)]))
    expect(sent.reason).toBe('VALUE_TOO_LARGE')
    expect(await ground.blobFiles()).toEqual([])
  })

  function chunks(bytes: number) {
    return Array.from({ length: Math.ceil(bytes / MIB) }, () => chunk(Math.min(bytes, MIB)))
  }
})

describe('other requests', () => {
  test.each([
    ['get', () => ann.get('nonsense', { offset: -1n, ifSha256: Buffer.alloc(3) })],
    ['get without an address', () => ann.get('')],
    ['read and delete', () => ann.readAndDelete('val_XYZ')],
    ['describe', () => ann.describe('')],
    ['delete', () => ann.delete(`${ADDRESS}0`)],
    ['reserve', () => ann.reserve({ namespace: 'n!', scope: 's', timeToLive: duration(0) })],
    ['list', () => ann.list({ pageSize: 1001, scope: 's' })],
    ['list backwards', () => ann.list({ pageSize: -1 })],
    ['open a scope', () => ann.openScope({ lease: duration(4), displayName: 'd'.repeat(201) })],
    ['keep a scope alive', () => ann.keepScopeAlive('')],
    ['close a scope', () => ann.closeScope('scp_1')],
    ['start an upload', () => ann.startUpload({ uploadId: 'u', offset: 1n })],
    ['get an upload', () => ann.getUpload('')],
  ])('%s', async (title, call) => {
    const fields: Record<string, string[]> = {
      get: ['address', 'offset', 'if_sha256'],
      reserve: ['namespace', 'scope', 'time_to_live'],
      list: ['page_size', 'scope'],
      'list backwards': ['page_size'],
      'open a scope': ['lease', 'display_name'],
      'keep a scope alive': ['scope'],
      'close a scope': ['scope'],
      'start an upload': ['header.upload_id', 'header.offset'],
      'get an upload': ['upload_id'],
    }
    const refusal = await refusalOf(call())
    expect(refusal.reason).toBe('INVALID_FIELD')
    expect(refusal.fields).toEqual(fields[title] ?? ['address'])
  })
})
