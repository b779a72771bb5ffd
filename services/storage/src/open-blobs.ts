/** Where the bytes are: taken for this database alone. */
import { ConfigError, UnavailableError } from '@offstage/kit/config'
import { type BlobStore, BlobStoreError } from './ports/blobs.ts'
import type { SweepStore } from './ports/sweeps.ts'

const VARIABLE = 'OFFSTAGE_STORAGE_DATA_DIR'

/**
 * Throws a ConfigError when the directory cannot be used, or is another database's, and an UnavailableError when there is no room yet
 * to begin with.
 */
export async function openBoundBlobs(
  open: () => Promise<BlobStore>,
  sweeps: Pick<SweepStore, 'identity' | 'adoptStore'>,
  dataDir: string,
): Promise<BlobStore> {
  const blobs = await open().catch(refuseDataDir)
  await bindBlobs(blobs, sweeps, dataDir)
  return blobs
}

/** Each database has one directory, and each directory one database. */
async function bindBlobs(
  blobs: BlobStore,
  sweeps: Pick<SweepStore, 'identity' | 'adoptStore'>,
  dataDir: string,
): Promise<void> {
  const outcome = await blobs.bind(await sweeps.identity()).catch(refuseDataDir)
  if (outcome.kind === 'bound') {
    if ((await sweeps.adoptStore(outcome.storeId)) === outcome.storeId) return
  }
  const problem =
    outcome.kind === 'of-another'
      ? `${dataDir} holds the values of another database; a sweep would delete them`
      : `${dataDir} is not the folder with the values of this database: a mount is missing, or the path ` +
        'is another. What to do when they are lost for good: docs/guides/operations.md#upkeep'
  throw new ConfigError([{ variable: VARIABLE, problem }])
}

function refuseDataDir(error: unknown): never {
  if (!(error instanceof BlobStoreError)) throw error
  const { kind, message: problem } = error
  if (kind === 'full') {
    throw new UnavailableError(VARIABLE, `${problem}: start it again when there is room`, {
      cause: error,
    })
  }
  throw new ConfigError([{ variable: VARIABLE, problem }])
}
