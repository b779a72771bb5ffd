import { ConfigError, UnavailableError } from '@offstage/kit/config'
import { expect, test } from 'vitest'
import { openBoundBlobs } from './open-blobs.ts'
import { type BlobStore, BlobStoreError } from './ports/blobs.ts'

const sweeps = {
  identity: async () => ({ databaseId: 'one', storeId: undefined }),
  adoptStore: async (storeId: string) => storeId,
}

/** Opens blobs whose directory says so when it is taken. */
function refused(kind: BlobStoreError['kind'], message: string) {
  const bind = () => Promise.reject(new BlobStoreError(kind, message))
  return openBoundBlobs(async () => ({ bind }) as unknown as BlobStore, sweeps, '/data')
}

test('a new directory without room is told as something that passes, one that cannot be written as a fault of its variable', async () => {
  const full = refused('full', 'cannot write in /data: ENOSPC')
  await expect(full).rejects.toBeInstanceOf(UnavailableError)
  await expect(full).rejects.toThrow(
    /OFFSTAGE_STORAGE_DATA_DIR.*cannot write in \/data: ENOSPC.*when there is room/,
  )
  const broken = refused('unavailable', 'cannot write in /data: EROFS')
  await expect(broken).rejects.toBeInstanceOf(ConfigError)
})
