import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { setUpClient, until } from '../testing/client-fixture.ts'
import { addressOf, scopeOf } from '../testing/place-names.ts'

const LARGE = Buffer.alloc(300_000, 'abcdefghij')

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

describe('a value', () => {
  test.each([[{ a: 1 }], ['text'], [null], [[1, 2]]])(
    '%j comes back as it was put',
    async (value) => {
      await using it = await setUpClient()
      const { address, contentType } = await it.offstage.storage.put(value)
      expect(contentType).toBe('application/json')
      expect(await it.offstage.storage.get(address)).toEqual(value)
    },
  )

  test('of bytes comes back as bytes, from memory or a stream', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    const put = await storage.put(LARGE)
    const streamed = await storage.put(inPieces(LARGE, 70_000))
    const sha256 = createHash('sha256').update(LARGE).digest('hex')
    expect(put).toMatchObject({ size: 300_000, contentType: 'application/octet-stream', sha256 })
    expect(streamed).toMatchObject({ size: 300_000, sha256 })
    expect(await storage.get(put.address)).toEqual(LARGE)
    expect(await storage.get(streamed.address)).toEqual(LARGE)
  })

  test('that is a text comes back as it was put, also as text/plain and text/csv', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    for (const contentType of ['text/plain', 'text/csv; charset=utf-8', undefined]) {
      const { address } = await storage.put('ä,"b"', { contentType })
      expect(await storage.get(address)).toBe('ä,"b"')
      const stored = contentType === undefined ? '"ä,\\"b\\""' : 'ä,"b"'
      expect(it.storage.values.get(address)?.bytes.toString()).toBe(stored)
    }
  })

  test('that JSON would empty is refused, and so is a stream of texts', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    await expect(storage.put(new Blob(['a']))).rejects.toThrow('what is in a Blob: pass its bytes')
    await expect(storage.put({ rows: [new Map()] })).rejects.toThrow('rows.0: JSON leaves out')
    await expect(storage.put({ n: NaN })).rejects.toThrow('n: JSON has no NaN')
    expect(it.storage.values.size).toBe(0)
    const texts = Readable.from(['a', 'b'])
    await expect(storage.put(texts)).rejects.toThrow('a stream to put gives bytes, not "a"')
    const { address } = await storage.put(new Uint8Array([1, 2]).buffer)
    expect(await storage.get(address)).toEqual(Buffer.from([1, 2]))
  })

  test('from a stalled stream closes it when the put is given up', async () => {
    await using it = await setUpClient()
    const giving = new AbortController()
    let closed = false
    const stalled: AsyncIterableIterator<Uint8Array> = {
      next: () => new Promise(() => {}),
      return: async () => {
        closed = true
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => stalled,
    }
    const readable = new Readable({ read() {} })
    const { signal } = giving
    const puts = [stalled, readable].map((source) => it.offstage.storage.put(source, { signal }))
    setTimeout(() => giving.abort(new Error('given up')), 50)
    for (const put of puts) await expect(put).rejects.toThrow('given up')
    await until(() => closed && readable.destroyed)
  })

  test('goes where it is told', async () => {
    await using it = await setUpClient({ scope: scopeOf(1), namespace: 'blue' })
    await it.offstage.storage.put(1, {
      address: addressOf('fixed'),
      timeToLiveMs: 5000,
      owner: 'ada',
    })
    await it.offstage.storage.put(2, { scope: '' })
    expect(it.storage.values.get(addressOf('fixed'))?.header).toMatchObject({
      namespace: 'blue',
      scope: scopeOf(1),
      owner: 'ada',
      timeToLive: { seconds: 5n },
    })
    expect(it.storage.values.get(addressOf(2))?.header.scope).toBe('')
  })

  test('is read on where the connection broke', async () => {
    await using it = await setUpClient()
    const { address } = await it.offstage.storage.put(LARGE)
    it.storage.readBreaks = 2
    expect(await it.offstage.storage.get(address)).toEqual(LARGE)
    expect(it.storage.offsets).toEqual([0, 65_536, 131_072])
  })

  test('in memory is sent again where the connection broke, a large one from where it was', async () => {
    await using it = await setUpClient()
    it.storage.writeBreaks = 1
    const small = await it.offstage.storage.put(LARGE)
    expect(await it.offstage.storage.get(small.address)).toEqual(LARGE)
    it.storage.writeBreaks = 1
    const bytes = Buffer.alloc(5 * 1024 * 1024, 'abcdefg')
    const large = await it.offstage.storage.put(bytes)
    expect(large.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(it.storage.uploads.size).toBe(1)
    expect(it.storage.values.get(large.address)?.header.offset).toBeGreaterThan(0n)
  })

  test('is read, also as a result, though the service is away for a while', async () => {
    await using it = await setUpClient()
    const { address } = await it.offstage.storage.put(LARGE)
    it.storage.readRefusals = 6
    expect(await it.offstage.storage.get(address)).toEqual(LARGE)
    expect(it.storage.readRefusals).toBe(0)
  })

  test('that is sent on goes on where the service says the upload stands', async () => {
    await using it = await setUpClient()
    it.storage.writeBreaks = 1
    it.storage.staleOffsets = 1
    const bytes = Buffer.alloc(5 * 1024 * 1024, 'abcdefg')
    const { address } = await it.offstage.storage.put(bytes)
    expect(it.storage.values.get(address)?.bytes.equals(bytes)).toBe(true)
  })

  test('that is put again after a lost answer is stored once, and goes over nothing newer', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    it.storage.lostAnswers = 1
    it.storage.onLostAnswer = (address) => it.storage.keep(address, 'newer')
    const { address } = await storage.put('older', { address: addressOf('fixed') })
    expect(await storage.get(address)).toBe('newer')
    it.storage.lostAnswers = 1
    it.storage.onLostAnswer = () => {}
    await storage.put('another')
    expect(it.storage.values.size).toBe(2)
  })

  test('whose upload is done though its answer was lost is not sent again', async () => {
    await using it = await setUpClient()
    const bytes = Buffer.alloc(5 * 1024 * 1024, 'abcdefg')
    it.storage.lostAnswers = 1
    const { size } = await it.offstage.storage.put(bytes, { address: addressOf('fixed') })
    expect(size).toBe(bytes.byteLength)
    expect(it.storage.uploads.size).toBe(1)
    it.storage.remembersUploads = false
    it.storage.lostAnswers = 1
    const put = it.offstage.storage.put(bytes, { address: addressOf('fixed') })
    await expect(put).rejects.toMatchObject({ reason: 'UPLOAD_NOT_FOUND' })
    await expect(put).rejects.toThrow('its value was stored and the answer lost')
  })

  test('that is not read to its end leaves no call open', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    const { address } = await storage.put(Buffer.alloc(3_900_000))
    const open = () => it.storage.readsOpen
    const given = await storage.getStream(address)
    await given.chunks.return?.()
    expect(await given.chunks.next()).toEqual({ done: true, value: undefined })
    {
      await using _disposed = await storage.getStream(address)
      await until(() => open() > 0)
    }
    for await (const _ of (await storage.getStream(address)).chunks) break
    await until(() => open() === 0)
  })

  test('that is damaged is told at once, without another try', async () => {
    await using it = await setUpClient()
    const { address } = await it.offstage.storage.put(LARGE)
    it.storage.damaged = true
    const damaged = { reason: 'VALUE_DAMAGED', retryable: false }
    await expect(it.offstage.storage.get(address)).rejects.toMatchObject(damaged)
    expect(it.storage.offsets).toEqual([0])
  })

  test('that is stored or read wrongly is told by its checksum', async () => {
    await using it = await setUpClient()
    const { address } = await it.offstage.storage.put(LARGE)
    it.storage.corrupts = true
    const wrong = { reason: 'CHECKSUM_MISMATCH' }
    await expect(it.offstage.storage.get(address)).rejects.toMatchObject(wrong)
    await expect(it.offstage.storage.put(LARGE)).rejects.toMatchObject(wrong)
  })

  test('is read as a stream, described, listed and deleted', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    const { address } = await storage.put(LARGE)
    const { value, chunks } = await storage.getStream(address)
    expect(value.size).toBe(300_000)
    const pieces: Uint8Array[] = []
    for await (const piece of chunks) pieces.push(piece)
    expect(Buffer.concat(pieces)).toEqual(LARGE)
    expect(await storage.describe(address)).toEqual(value)
    await storage.put(1)
    const listed: string[] = []
    for await (const { address: found } of storage.list()) listed.push(found)
    expect(listed).toEqual([addressOf(1), addressOf(2)])
    expect(await storage.delete(address)).toBe(true)
    expect(await storage.delete(address)).toBe(false)
    await expect(storage.get(address)).rejects.toMatchObject({ reason: 'VALUE_NOT_FOUND' })
  })

  test('is gone once it was read and deleted', async () => {
    await using it = await setUpClient()
    const { storage } = it.offstage
    const { address } = await storage.put({ once: true })
    expect(await storage.readAndDelete(address)).toEqual({ once: true })
    await expect(storage.readAndDelete(address)).rejects.toMatchObject({
      reason: 'VALUE_NOT_FOUND',
    })
  })

  test('that is none is refused, and a stream that throws stores nothing', async () => {
    await using it = await setUpClient()
    await expect(it.offstage.storage.put(undefined)).rejects.toThrow('no value')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a')
      throw new Error('my fault')
    }
    await expect(it.offstage.storage.put(broken())).rejects.toThrow('my fault')
    expect(it.storage.values.size).toBe(0)
  })

  // Node's HTTP/2 client ends a call before it resets it, so the service sees a good end.
  test('from a stream that is given up stores nothing, though its end looks like a good one', async () => {
    await using it = await setUpClient()
    const giving = new AbortController()
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half')
      await until(() => it.storage.writesBegun === 1)
      giving.abort(new Error('given up'))
      yield Buffer.from('never')
    }
    const put = it.offstage.storage.put(endless(), { signal: giving.signal })
    await expect(put).rejects.toThrow('given up')
    await until(() => it.storage.writesEnded === 1)
    expect(it.storage.values.size).toBe(0)
  })
})

describe('a scope', () => {
  test('is renewed while it is open and ends when it is closed', async () => {
    await using it = await setUpClient()
    {
      await using scope = await it.offstage.storage.openScope({ leaseMs: 30_000 })
      await it.clock.advance(10_000)
      await until(() => it.storage.scopes.get(scope.id) === 1)
      await until(() => it.clock.pendingTimers === 1)
      await it.clock.advance(10_000)
      await until(() => it.storage.scopes.get(scope.id) === 2)
      await until(() => it.clock.pendingTimers === 1)
    }
    expect(it.storage.scopes.size).toBe(0)
    expect(it.clock.pendingTimers).toBe(0)
  })

  test('that was lost says so by its signal', async () => {
    await using it = await setUpClient()
    const scope = await it.offstage.storage.openScope({ leaseMs: 30_000 })
    it.storage.scopes.clear()
    await it.clock.advance(10_000)
    await until(() => scope.signal.aborted)
    expect(String(scope.signal.reason)).toContain(`${scope.id} was lost`)
    await scope.close()
  })

  test('outlives renewals that fail, until its lease has run out', async () => {
    await using it = await setUpClient()
    const scope = await it.offstage.storage.openScope({ leaseMs: 30_000 })
    await it.storage[Symbol.asyncDispose]()
    for (const third of [1, 2]) {
      await it.clock.advance(10_000)
      await until(() => it.clock.pendingTimers === 1)
      expect([third, scope.signal.aborted]).toEqual([third, false])
    }
    await it.clock.advance(10_000)
    await until(() => scope.signal.aborted)
  })
})
