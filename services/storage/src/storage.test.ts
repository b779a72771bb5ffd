/** What callers are promised, over real gRPC. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { status } from '@grpc/grpc-js'
import { type GetValueResponse, PutValueHeader } from '@offstage/proto/storage'
import { until } from '@offstage/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusalOf, type TestClient } from './testing/storage-client.ts'
import { type Ground, openGround, type Started } from './testing/storage-fixture.ts'

const KIB = 1024
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 })
const NOWHERE = `val_${'0'.repeat(32)}`

let ground: Ground
let storage: Started
let ann: TestClient

beforeAll(async () => {
  ground = await openGround()
  storage = await ground.start()
  ann = storage.client('ann')
})
afterAll(async () => {
  await storage[Symbol.asyncDispose]()
  await ground[Symbol.asyncDispose]()
})

describe('put and get (row S1)', () => {
  test.each([0, 1, 64 * KIB, 64 * KIB + 1, 3 * KIB * KIB + 7])(
    '%d bytes come back as they went, with their description',
    async (size) => {
      const bytes = randomBytes(size)
      const header = { contentType: 'text/csv', size: BigInt(size), sha256: sha256(bytes) }
      const put = await ann.put(bytes, header)
      const got = await ann.get(put.address)
      expect(got.bytes.equals(bytes)).toBe(true)
      expect(got.chunkBytesMax).toBeLessThanOrEqual(256 * KIB)
      expect(got.value).toEqual(put)
      expect(put).toMatchObject({ ...header, namespace: 'default', owner: 'ann', reserved: false })
      expect(await ann.describe(put.address)).toEqual(put)
      const lifeMs = Number(put.expireTime) - Number(put.createTime)
      expect(lifeMs).toBe(86_400_000)
    },
  )

  test.each([10, 200 * KIB])('a read of %d bytes goes on from an offset', async (size) => {
    const bytes = randomBytes(size)
    const { address } = await ann.put(bytes)
    const half = Math.floor(size / 2)
    const rest = await ann.get(address, { offset: BigInt(half), ifSha256: sha256(bytes) })
    expect(rest.bytes.equals(bytes.subarray(half))).toBe(true)
    expect((await ann.get(address, { offset: BigInt(size) })).bytes).toHaveLength(0)
    const beyond = await refusalOf(ann.get(address, { offset: BigInt(size + 1) }))
    expect(beyond).toMatchObject({ reason: 'OFFSET_INVALID', code: status.OUT_OF_RANGE })
  })

  test('a resumed read of a value replaced meanwhile is aborted', async () => {
    const { address } = await ann.put(Buffer.from('old'))
    await ann.put(Buffer.from('new'), { address })
    const refusal = await refusalOf(ann.get(address, { ifSha256: sha256(Buffer.from('old')) }))
    expect(refusal).toMatchObject({ reason: 'ETAG_MISMATCH', code: status.ABORTED })
  })

  test('a reader that has begun gets the old bytes whole when the value is replaced', async () => {
    const old = randomBytes(2 * KIB * KIB)
    const { address } = await ann.put(old)
    const stream = ann.raw.getValue(
      { address, offset: 0n, ifSha256: Buffer.alloc(0) },
      ann.metadata,
    )
    const reader: AsyncIterator<GetValueResponse> = stream[Symbol.asyncIterator]()
    await reader.next()
    const filesBefore = (await ground.blobFiles()).length
    await ann.put(Buffer.from('new'), { address })
    await until(async () => (await ground.blobFiles()).length < filesBefore, {
      what: 'the old blob is deleted',
    })
    const chunks: Buffer[] = []
    for (let step = await reader.next(); !step.done; step = await reader.next()) {
      if (step.value.part?.$case === 'chunk') chunks.push(step.value.part.value)
    }
    expect(Buffer.concat(chunks).equals(old)).toBe(true)
  })

  test.each([10, 200 * KIB])('a trailer vouches for the %d bytes before it', async (size) => {
    const bytes = randomBytes(size)
    const promised = PutValueHeader.fromPartial({ trailer: true })
    const parts = (sha256: Buffer) => [
      { $case: 'header' as const, value: promised },
      { $case: 'chunk' as const, value: bytes },
      { $case: 'trailer' as const, value: { sha256 } },
    ]
    const files = await ground.blobFiles()
    const other = await refusalOf(ann.putParts(parts(sha256(Buffer.from('other')))))
    expect(other).toMatchObject({ reason: 'CHECKSUM_MISMATCH', code: status.DATA_LOSS })
    expect(await ground.blobFiles()).toEqual(files)
    for (const checksum of [sha256(bytes), Buffer.alloc(0)]) {
      const { address } = await ann.putParts(parts(checksum))
      expect((await ann.get(address)).bytes.equals(bytes)).toBe(true)
    }
  })

  test('a put that is cut off never becomes a value, whole or half', async () => {
    const namespace = 'cut-off'
    const header = { $case: 'header' as const, value: PutValueHeader.fromPartial({ namespace }) }
    const own = await ground.start()
    for (let round = 0; round < 40; round++) {
      const client = own.client('ann')
      const { stream, answer } = client.beginPut()
      stream.write({ part: header })
      for (let chunk = 0; chunk < round % 4; chunk++) {
        await new Promise((taken) =>
          stream.write({ part: { $case: 'chunk', value: randomBytes(40 * KIB) } }, taken),
        )
      }
      // Answered after what was sent before it on the same connection has been taken.
      await refusalOf(client.describe(NOWHERE))
      if (round % 2 === 0) stream.cancel()
      else client.raw.getChannel().close()
      stream.cancel()
      await expect(answer).rejects.toMatchObject({ code: status.CANCELLED })
    }
    // Waits for every handler.
    await own[Symbol.asyncDispose]()
    const { address } = await ann.put(Buffer.from('last'), { namespace })
    const { values } = await ann.list({ namespace })
    expect(values.map((value) => value.address)).toEqual([address])
  })

  test('a client that goes away in the middle of a put leaves nothing', async () => {
    const before = await ground.blobFiles()
    const { stream, answer } = ann.beginPut()
    stream.write({ part: { $case: 'header', value: PutValueHeader.fromPartial({}) } })
    stream.write({ part: { $case: 'chunk', value: randomBytes(100 * KIB) } })
    await until(async () => (await ground.blobFiles()).length === before.length + 1)
    stream.cancel()
    await expect(answer).rejects.toMatchObject({ code: status.CANCELLED })
    await until(async () => (await ground.blobFiles()).length === before.length)
  })
})

describe('reserved and fixed addresses (rows S3, L4)', () => {
  test('a reserved address is described, empty to readers, and takes a value', async () => {
    const reserved = await ann.reserve({ timeToLive: seconds(3600) })
    expect(reserved).toMatchObject({ reserved: true, size: 0n })
    expect(await refusalOf(ann.get(reserved.address))).toMatchObject({ reason: 'VALUE_NOT_FOUND' })
    const put = await ann.put(Buffer.from('result'), { address: reserved.address })
    expect(put).toMatchObject({ address: reserved.address, reserved: false, size: 6n })
    expect(Number(put.expireTime) - Number(put.createTime)).toBe(3_600_000)
  })

  test('a fixed address that is read and deleted waits for the next value', async () => {
    const { address } = await ann.reserve()
    for (const run of ['first', 'second']) {
      await ann.put(Buffer.from(run), { address })
      expect((await ann.readAndDelete(address)).bytes.toString()).toBe(run)
      expect(await ann.describe(address)).toMatchObject({ reserved: true, size: 0n })
    }
  })

  test('a put replaces the value of an address, and the blob of the old one goes', async () => {
    const { address } = await ann.put(randomBytes(100 * KIB))
    const files = new Set(await ground.blobFiles())
    await ann.put(randomBytes(101 * KIB), { address })
    const survivors = async () => (await ground.blobFiles()).filter((file) => files.has(file))
    await until(async () => (await survivors()).length === files.size - 1)
    expect((await ann.get(address)).bytes).toHaveLength(101 * KIB)
  })

  test('nothing can be put at an address that is not there (any more)', async () => {
    const { address } = await ann.put(Buffer.from('x'))
    await ann.delete(address)
    for (const gone of [address, NOWHERE]) {
      const refusal = await refusalOf(ann.put(Buffer.from('y'), { address: gone }))
      expect(refusal).toMatchObject({ reason: 'VALUE_NOT_FOUND', code: status.NOT_FOUND })
    }
  })
})

describe('read and delete (row L4)', () => {
  test.each([5, 300 * KIB])('%d bytes can be read and deleted once', async (size) => {
    const bytes = randomBytes(size)
    const { address } = await ann.put(bytes)
    expect((await ann.readAndDelete(address)).bytes.equals(bytes)).toBe(true)
    expect((await refusalOf(ann.readAndDelete(address))).reason).toBe('VALUE_NOT_FOUND')
    expect((await refusalOf(ann.describe(address))).reason).toBe('VALUE_NOT_FOUND')
  })

  test('of several callers at the same time one gets the value', async () => {
    const { address } = await ann.put(randomBytes(2 * KIB * KIB))
    const calls = Array.from({ length: 5 }, () => ann.readAndDelete(address))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
    for (const call of calls.filter((_, i) => outcomes[i]?.status === 'rejected')) {
      expect((await refusalOf(call)).reason).toBe('VALUE_NOT_FOUND')
    }
  })

  test('a reader that breaks off leaves the value to the next', async () => {
    const bytes = randomBytes(12 * KIB * KIB)
    const { address } = await ann.put(bytes)
    const stream = ann.raw.readAndDeleteValue({ address, ifSha256: Buffer.alloc(0) }, ann.metadata)
    stream.on('error', () => {})
    await once(stream, 'readable')
    stream.cancel()
    const next = await ann.readAndDelete(address)
    expect(next.bytes.equals(bytes)).toBe(true)
  })

  test('a value put while another reader deletes the old one stays', async () => {
    const { address } = await ann.put(randomBytes(12 * KIB * KIB))
    const stream = ann.raw.readAndDeleteValue({ address, ifSha256: Buffer.alloc(0) }, ann.metadata)
    const reader: AsyncIterator<GetValueResponse> = stream[Symbol.asyncIterator]()
    await reader.next()
    await ann.put(Buffer.from('new'), { address })
    while (!(await reader.next()).done);
    expect((await ann.get(address)).bytes.toString()).toBe('new')
  })
})

describe('whose it is (row S4)', () => {
  test('deleting tells whether there was something, and can be repeated', async () => {
    const { address } = await ann.put(Buffer.from('x'))
    expect(await ann.delete(address)).toBe(true)
    expect(await ann.delete(address)).toBe(false)
  })

  test('for others than the owner and administrators a value does not exist', async () => {
    await using strict = await ground.start(
      {},
      {
        authenticate: (metadata) => {
          const user = String(metadata.get('offstage-user')[0])
          return { user, roles: user === 'svc' ? ['service'] : ['user'], namespaces: ['default'] }
        },
      },
    )
    const [owner, other, service] = ['ann', 'bob', 'svc'].map((user) => strict.client(user))
    if (!owner || !other || !service) throw new Error('no clients')
    const { address } = await owner.put(Buffer.from('mine'))
    const attempts = [
      other.get(address),
      other.describe(address),
      other.readAndDelete(address),
      other.put(Buffer.from('theirs'), { address }),
    ]
    for (const refusal of await Promise.all(attempts.map(refusalOf))) {
      expect(refusal).toMatchObject({ reason: 'VALUE_NOT_FOUND' })
    }
    expect(await other.delete(address)).toBe(false)
    expect((await other.list()).values).toEqual([])
    expect((await refusalOf(other.put(Buffer.from('x'), { owner: 'ann' }))).reason).toBe(
      'PERMISSION_DENIED',
    )
    expect((await refusalOf(other.reserve({ namespace: 'secret' }))).reason).toBe(
      'NAMESPACE_NOT_FOUND',
    )
    expect((await service.put(Buffer.from('for ann'), { address, owner: 'ann' })).owner).toBe('ann')
    const foreign = service.put(Buffer.from('for bob'), { address, owner: 'bob' })
    expect((await refusalOf(foreign)).reason).toBe('VALUE_NOT_FOUND')
    expect((await owner.get(address)).bytes.toString()).toBe('for ann')
  })
})

describe('lists', () => {
  test('pages go through all values once, newest first', async () => {
    const namespace = 'pages'
    const addresses: string[] = []
    for (let i = 0; i < 7; i++) {
      addresses.unshift((await ann.put(Buffer.of(i), { namespace })).address)
    }
    const seen: string[][] = []
    let pageToken = ''
    do {
      const page = await ann.list({ namespace, pageSize: 3, pageToken })
      seen.push(page.values.map(({ address }) => address))
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    expect(seen.map((page) => page.length)).toEqual([3, 3, 1])
    expect(seen.flat()).toEqual(addresses)
    const { nextPageToken } = await ann.list({ namespace, pageSize: 3 })
    const stranger = ann.list({ namespace: 'elsewhere', pageToken: nextPageToken })
    expect((await refusalOf(stranger)).reason).toBe('PAGE_TOKEN_INVALID')
    expect((await refusalOf(ann.list({ namespace, pageToken: 'junk' }))).reason).toBe(
      'PAGE_TOKEN_INVALID',
    )
  })
})

describe('events', () => {
  test('tell of reservations, puts and deletions, with the address alone', async () => {
    const namespace = 'told'
    const { address } = await ann.reserve({ namespace })
    await ann.put(Buffer.from('x'), { address })
    await ann.delete(address)
    const told = () => storage.events.filter(({ subject }) => subject.includes('.told.'))
    await until(() => told().length === 3)
    expect(told().map(({ subject }) => subject)).toEqual(
      ['reserved', 'put', 'deleted'].map((event) => `offstage.v1.told.values.${event}`),
    )
    for (const { payload } of told()) {
      expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ address })
    }
  })
})
