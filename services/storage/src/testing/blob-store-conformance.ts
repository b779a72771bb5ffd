/** What every BlobStore promises; run it against each adapter. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { writerIdOf } from '../domain/blob-id.ts'
import type { BlobReader, BlobStore } from '../ports/blobs.ts'

const WRITER = 'a'.repeat(16)

export interface OpenedBlobStore extends AsyncDisposable {
  readonly store: BlobStore
}

export function blobStoreConformance(
  name: string,
  openUnbound: () => Promise<OpenedBlobStore>,
): void {
  async function open(): Promise<OpenedBlobStore> {
    const it = await openUnbound()
    await it.store.bind({ databaseId: 'one', storeId: undefined })
    return it
  }

  describe(name, () => {
    test('bytes come back as they were written, from any offset', async () => {
      await using it = await open()
      const bytes = randomBytes(700_001)
      const blobId = await write(it.store, bytes)
      for (const offset of [0, 1, 300_000, 700_001]) {
        expect((await read(it.store, blobId, offset)).equals(bytes.subarray(offset))).toBe(true)
      }
    })

    test('a reader takes at most 256 KiB at a time', async () => {
      await using it = await open()
      const blobId = await write(it.store, randomBytes(600 * 1024))
      await using reader = await opened(it.store, blobId)
      for await (const chunk of reader.chunks(0)) expect(chunk.length).toBeLessThanOrEqual(262_144)
    })

    test('a blob that is not there is not opened, and deleting it is no fault', async () => {
      await using it = await open()
      const missing = '0'.repeat(32)
      expect(await it.store.open(missing)).toBeUndefined()
      expect(await it.store.resume(missing, 0)).toBeUndefined()
      await it.store.delete(missing)
    })

    test('a deleted blob is gone for new readers, and whole for those that have it', async () => {
      await using it = await open()
      const bytes = randomBytes(600_000)
      const blobId = await write(it.store, bytes)
      await using reader = await opened(it.store, blobId)
      await it.store.delete(blobId)
      expect(await it.store.open(blobId)).toBeUndefined()
      expect(await joined(reader, 0)).toEqual(bytes)
    })

    test('a resumed blob goes on after the offset, and what lay beyond is gone', async () => {
      await using it = await open()
      const blobId = await write(it.store, Buffer.from('0123456789'))
      await using writer = await it.store.resume(blobId, 4)
      await writer?.write(Buffer.from('abc'))
      await writer?.sync()
      expect((await read(it.store, blobId, 0)).toString()).toBe('0123abc')
    })

    test('a blob shorter than the offset cannot be resumed', async () => {
      await using it = await open()
      const blobId = await write(it.store, Buffer.from('012'))
      expect(await it.store.resume(blobId, 4)).toBeUndefined()
      expect(await listed(it.store)).toEqual([blobId])
    })

    test('blobs are listed from their first byte, and their names tell who writes them', async () => {
      await using it = await open()
      await using writer = await it.store.create(WRITER)
      expect(await listed(it.store)).toEqual([writer.blobId])
      expect(writerIdOf(writer.blobId)).toBe(WRITER)
    })

    test('a blob that was removed while it was written is not safe', async () => {
      await using it = await open()
      await using writer = await it.store.create(WRITER)
      await writer.write(Buffer.from('x'))
      await it.store.delete(writer.blobId)
      await expect(writer.sync()).rejects.toMatchObject({ kind: 'unavailable' })
    })

    test('many blobs are listed in batches, each once', async () => {
      await using it = await open()
      const ids = await Promise.all(
        Array.from({ length: 600 }, () => write(it.store, Buffer.from('x'))),
      )
      const batches = await allOf(it.store.list())
      expect(batches.length).toBeGreaterThan(1)
      expect(batches.flat().toSorted()).toEqual(ids.toSorted())
    })

    test('a store belongs to the first database that took it', async () => {
      await using it = await open()
      const one = { databaseId: 'one', storeId: undefined }
      const bound = await it.store.bind(one)
      expect(bound).toMatchObject({ kind: 'bound', storeId: expect.stringMatching(/./) })
      expect(await it.store.bind(one)).toEqual(bound)
      expect(await it.store.bind({ ...one, databaseId: 'two' })).toEqual({ kind: 'of-another' })
    })

    test("a store that is nobody's is not taken by a database that has one", async () => {
      await using it = await openUnbound()
      const other = { databaseId: 'one', storeId: 'elsewhere' }
      expect(await it.store.bind(other)).toEqual({ kind: 'unbound' })
      const fresh = { databaseId: 'two', storeId: undefined }
      expect(await it.store.bind(fresh)).toMatchObject({ kind: 'bound' })
    })

    test('knows how much room there is', async () => {
      await using it = await open()
      expect(await it.store.room()).toBeGreaterThan(0)
    })
  })
}

async function write(store: BlobStore, bytes: Buffer): Promise<string> {
  await using writer = await store.create(WRITER)
  await writer.write(bytes.subarray(0, 7))
  await writer.write(bytes.subarray(7))
  await writer.sync()
  return writer.blobId
}

async function opened(store: BlobStore, blobId: string): Promise<BlobReader> {
  const reader = await store.open(blobId)
  if (reader === undefined) throw new Error(`there is no blob ${blobId}`)
  return reader
}

async function read(store: BlobStore, blobId: string, offset: number): Promise<Buffer> {
  await using reader = await opened(store, blobId)
  return await joined(reader, offset)
}

async function joined(reader: BlobReader, offset: number): Promise<Buffer> {
  return Buffer.concat(await allOf(reader.chunks(offset)))
}

async function listed(store: BlobStore): Promise<string[]> {
  return (await allOf(store.list())).flat()
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
