import { mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blobStoreConformance } from '../testing/blob-store-conformance.ts'
import { openDiskBlobs } from './disk-blobs.ts'
import { errorFromDisk } from './disk-error.ts'

async function openTemporary() {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  const store = await openDiskBlobs(join(directory, 'data'))
  return { store, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
}

const fresh = (databaseId: string) => ({ databaseId, storeId: undefined })

blobStoreConformance('blobs on disk', openTemporary)

test('a directory that cannot be made is refused by name', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  const file = join(directory, 'file')
  await writeFile(file, '')
  const refused = openDiskBlobs(join(file, 'data'))
  await expect(refused).rejects.toMatchObject({ name: 'BlobStoreError', kind: 'unavailable' })
  await expect(refused).rejects.toThrow(join(file, 'data'))
  await rm(directory, { recursive: true })
})

test("a device without space is told from one that does not work, by the device's own errors", async () => {
  await using full = await open('/dev/full', 'w')
  const enospc = await full.write('x').catch((error: unknown) => error)
  expect(errorFromDisk(enospc, 'cannot write')).toMatchObject({ kind: 'full', cause: enospc })
  const eisdir = await open('/', 'w').catch((error: unknown) => error)
  expect(errorFromDisk(eisdir, 'cannot write')).toMatchObject({ kind: 'unavailable' })
})

/** What the operating system says where there is no room. */
async function noRoom(): Promise<void> {
  await using full = await open('/dev/full', 'w')
  await full.write('x')
}

test('a directory that has become full is opened all the same: what is in it is read and deleted', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
  const before = await openDiskBlobs(directory)
  await before.bind(fresh('one'))
  await using writer = await before.create('0123456789abcdef')
  await writer.write(Buffer.from('bytes'))
  await writer.sync()
  const store = await openDiskBlobs(directory, noRoom)
  expect(await store.bind(fresh('one'))).toMatchObject({ kind: 'bound' })
  {
    await using reader = await store.open(writer.blobId)
    expect(reader?.size).toBe(5)
  }
  await store.delete(writer.blobId)
  expect(await store.open(writer.blobId)).toBeUndefined()
  const broken = openDiskBlobs(directory, () => Promise.reject(new Error('EROFS: read-only')))
  await expect(broken).rejects.toMatchObject({ kind: 'unavailable' })
})

test("a directory whose first start died, or had no room, is still nobody's", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
  const store = await openDiskBlobs(directory)
  await writeFile(join(directory, 'database-id'), '')
  const kinds = async (...ids: string[]) => {
    const outcomes = await Promise.all(ids.map((id) => store.bind(fresh(id))))
    return outcomes.map(({ kind }) => kind)
  }
  expect(await kinds('one')).toEqual(['bound'])
  expect(await kinds('two', 'one')).toEqual(['of-another', 'bound'])
  expect((await readdir(directory)).sort()).toEqual(['blobs', 'database-id'])
})

test('of databases that bind a directory at the same moment one has it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
  const store = await openDiskBlobs(directory)
  const bound = await Promise.all(['one', 'two', 'three'].map((id) => store.bind(fresh(id))))
  expect(bound.filter(({ kind }) => kind === 'bound')).toHaveLength(1)
})

test('what is written into another directory that stands in the place of the one taken is never durable', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
  const [data, away] = [join(directory, 'data'), join(directory, 'away')]
  const store = await openDiskBlobs(data)
  await store.bind(fresh('one'))
  await rename(data, away)
  // As a disk that was mounted in its place would have it.
  await (await openDiskBlobs(data)).bind(fresh('two'))
  {
    await using writer = await store.create('0123456789abcdef')
    await writer.write(Buffer.from('bytes'))
    await expect(writer.sync()).rejects.toMatchObject({ kind: 'unavailable' })
  }
  await rm(data, { recursive: true })
  await rename(away, data)
  await using writer = await store.create('0123456789abcdef')
  await writer.write(Buffer.from('bytes'))
  await writer.sync()
})
