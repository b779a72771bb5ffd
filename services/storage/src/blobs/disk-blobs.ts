/**
 * Blobs as files of a directory: `blobs/3f/3f0c…`, 256 folders by the first two digits of the id.
 *
 * A file stands under its final name from its first byte. What makes it a value is the row that points
 * to it, committed after `sync`; a file without a row is half-written or left over, and both are swept
 * alike. So there is one kind of garbage, and no rename.
 *
 * Invariants:
 *  1. A blob is durable when `sync` resolves: the file and the folder that names it are fsynced.
 *     Whether it still has its name is looked at then: a file that lost it can be synced as well.
 *  2. No blob is taken for missing while the directory itself is, and none is durable in another that stands in its place:
 *     the mark that binds it says so.
 *  3. A reader has the file open, so deleting the blob takes nothing from it.
 */
import { type FileHandle, open, opendir, stat, statfs, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makeFolder } from '@offstage/kit/folders'
import { READ_CHUNK_BYTES_MAX } from '../domain/limits.ts'
import { newBlobId } from '../new-ids.ts'
import { type BlobReader, type BlobStore, BlobStoreError, type BlobWriter } from '../ports/blobs.ts'
import { bindDirectory, markOf } from './bind-directory.ts'
import { codeOf, errorFromDisk, isFull } from './disk-error.ts'

const LIST_BATCH = 500

/**
 * Prepares the directory. Throws a BlobStoreError naming it when it cannot be written; one that is only full is taken, for what is
 * in it can be read, and deleted.
 *
 * @param tryToWrite makes a file, and leaves none
 */
export async function openDiskBlobs(
  directory: string,
  tryToWrite: (path: string) => Promise<void> = makeAndUnlink,
): Promise<BlobStore> {
  const root = resolve(directory)
  const blobs = join(root, 'blobs')
  const folderOf = (blobId: string) => join(blobs, blobId.slice(0, 2))
  const pathOf = (blobId: string) => join(folderOf(blobId), blobId)
  const fault = (action: string) => (error: unknown) => {
    throw errorFromDisk(error, `${action} in ${root}`)
  }
  const markPath = join(root, 'database-id')
  let mark: string | undefined
  await prepare(root, tryToWrite).catch(fault('cannot write'))

  function writerOf(blobId: string, file: FileHandle, offset: number): BlobWriter {
    const [folder, path] = [folderOf(blobId), pathOf(blobId)]
    return diskWriter({ blobId, file, offset, folder, path, root, refuseOtherDirectory })
  }
  async function openFile(blobId: string, flags: string): Promise<FileHandle | undefined> {
    const action = 'cannot open a blob'
    const file = await openExisting(pathOf(blobId), flags).catch(fault(action))
    if (file === undefined) await refuseOtherDirectory()
    return file
  }

  /** Invariant 2. */
  async function refuseOtherDirectory(): Promise<void> {
    if ((await markOf(markPath).catch(fault('cannot read'))) === mark) return
    throw new BlobStoreError(
      'unavailable',
      `${root} is not the directory that was taken at the start`,
    )
  }

  return {
    async create(writerId) {
      const blobId = newBlobId(writerId)
      const file = await openFile(blobId, 'wx')
      if (file === undefined) {
        throw new BlobStoreError('unavailable', `${folderOf(blobId)} has been removed`)
      }
      return writerOf(blobId, file, 0)
    },
    async resume(blobId, offset) {
      const file = await openFile(blobId, 'r+')
      if (file === undefined) return undefined
      const writer = writerOf(blobId, file, offset)
      const { size } = await file.stat()
      if (size >= offset) {
        await file.truncate(offset)
        return writer
      }
      await writer[Symbol.asyncDispose]()
      return undefined
    },
    async open(blobId) {
      const file = await openFile(blobId, 'r')
      return file && diskReader(file, root)
    },
    async delete(blobId) {
      try {
        await unlink(pathOf(blobId))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw errorFromDisk(error, `cannot delete in ${root}`)
        await refuseOtherDirectory()
      }
    },
    async *list() {
      await refuseOtherDirectory()
      yield* listBlobs(blobs)
    },
    async room() {
      const { bavail, bsize } = await statfs(blobs).catch(fault('cannot see the free space'))
      return bavail * bsize
    },
    async bind(identity) {
      try {
        const outcome = await bindDirectory(markPath, identity)
        if (outcome.kind !== 'bound') return outcome
        mark = await markOf(markPath)
        await makeShards(blobs)
        await syncFolder(root)
        return outcome
      } catch (error) {
        throw errorFromDisk(error, `cannot write in ${root}`)
      }
    },
  }
}

/** Leaves nothing behind: the directory may turn out to be a wrong one. */
async function prepare(root: string, tryToWrite: (path: string) => Promise<void>): Promise<void> {
  makeFolder(root)
  try {
    await tryToWrite(join(root, `probe-${process.pid}`))
  } catch (error) {
    // Nothing has to be made in a directory that is bound already; where something has, `bind` tells.
    if (!isFull(error)) throw error
  }
}

async function makeAndUnlink(path: string): Promise<void> {
  await (await open(path, 'w')).close()
  await unlink(path)
}

async function makeShards(blobs: string): Promise<void> {
  makeFolder(blobs)
  const shards = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
  for (const shard of shards) makeFolder(join(blobs, shard))
  await syncFolder(blobs)
}

interface WriterParts {
  readonly blobId: string
  readonly file: FileHandle
  readonly offset: number
  readonly folder: string
  readonly path: string
  readonly root: string
  refuseOtherDirectory(): Promise<void>
}

function diskWriter(parts: WriterParts): BlobWriter {
  const { blobId, file, offset, folder, path, root } = parts
  let position = offset
  return {
    blobId,
    async write(bytes) {
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position)
          done += bytesWritten
          position += bytesWritten
        }
      } catch (error) {
        throw errorFromDisk(error, `cannot write in ${root}`)
      }
    },
    async sync() {
      try {
        await file.sync()
        await syncFolder(folder)
        await refuseUnlinked(file, path)
        await parts.refuseOtherDirectory()
      } catch (error) {
        throw errorFromDisk(error, `cannot write in ${root}`)
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** Invariant 1. */
async function refuseUnlinked(file: FileHandle, path: string): Promise<void> {
  const [written, named] = await Promise.all([file.stat(), stat(path)])
  if (written.ino === named.ino && written.dev === named.dev) return
  throw new BlobStoreError('unavailable', `${path} is another file than the one written`)
}

async function diskReader(file: FileHandle, root: string): Promise<BlobReader> {
  const { size } = await file.stat()
  return {
    size,
    async *chunks(offset) {
      for (let position = offset; position < size; ) {
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_CHUNK_BYTES_MAX, size - position))
        const read = await fill(file, buffer, position).catch((error) => {
          throw errorFromDisk(error, `cannot read in ${root}`)
        })
        if (read === 0) return
        position += read
        yield buffer.subarray(0, read)
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

/** One read may bring less than there is. Resolves to the bytes read, fewer than asked for at the end of the file only. */
async function fill(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

async function* listBlobs(blobs: string): AsyncIterable<string[]> {
  let batch: string[] = []
  for (let shard = 0; shard < 256; shard++) {
    const folder = join(blobs, shard.toString(16).padStart(2, '0'))
    for await (const { name } of await opendir(folder)) {
      if (batch.push(name) < LIST_BATCH) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

async function openExisting(path: string, flags: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
