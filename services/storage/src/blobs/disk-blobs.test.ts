import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blobStoreConformance } from './blob-store-conformance.ts'
import { openDiskBlobs } from './disk-blobs.ts'
import { errorFromDisk } from './disk-error.ts'

async function openTemporary() {
  const directory = await mkdtemp(join(tmpdir(), 'offstage-blobs-'))
  const store = await openDiskBlobs(join(directory, 'data'))
  return { store, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) }
}

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
