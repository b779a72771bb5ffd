/** What the rows of those that write blobs promise, over PGlite and PostgreSQL word for word the same. */
import { type Database, openPglite } from '@offstage/kit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Namespace } from '../domain/identifier.ts'
import type { PutCommand } from '../domain/put.ts'
import { newAddress, newBlobId, newUploadId, newVersion, newWriterId } from '../new-ids.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import type { ValueStore } from '../ports/values.ts'
import type { WriterStore } from '../ports/writers.ts'
import { openFreshDatabase } from '../testing/fresh-database.ts'
import { createSweepStore } from './sweep-store.ts'
import { createUploadStore } from './upload-store.ts'
import { createValueStore, migrateStorage } from './value-store.ts'
import { createWriterStore } from './writer-store.ts'

const adapters = {
  pglite: () => openPglite(),
  postgres: () => openFreshDatabase({ poolSize: 4 }),
}

const namespace = 'default' as Namespace
const owner = 'ann'
const quotas = { ownerBytesMax: 1e12, ownerValuesMax: 1e9, namespaceBytesMax: 1e12 }
const HOUR_MS = 3_600_000
const REFUSED = { kind: 'writer-lost' }

function putOf(writerId: string, fields: Partial<PutCommand> = {}): PutCommand {
  const blobId = newBlobId(writerId)
  const [sha256, partSums] = [Buffer.alloc(32, 1), Buffer.alloc(4)]
  return {
    ...{ address: undefined, newAddress: newAddress(), namespace, owner, scope: undefined },
    ...{ timeToLiveMs: undefined, forJob: false, contentType: 'text/plain', version: newVersion() },
    body: { kind: 'blob', blobId, size: 100_000, sha256, partSums, writerId },
    request: undefined,
    upload: undefined,
    ...fields,
  }
}

describe.each(Object.entries(adapters))('%s', (_kind, open) => {
  const resources = new AsyncDisposableStack()
  let database: Database
  let values: ValueStore
  let writers: WriterStore
  let sweeps: SweepStore

  beforeAll(async () => {
    database = resources.use(await open())
    await migrateStorage(database)
    values = createValueStore(database, quotas)
    writers = createWriterStore(database)
    sweeps = createSweepStore(database)
  })
  afterAll(() => resources.disposeAsync())

  test('a put is refused, and changes nothing, unless the row of its writer is there', async () => {
    const writerId = newWriterId()
    expect(await values.put(putOf(writerId))).toEqual(REFUSED)
    await writers.register(writerId, HOUR_MS)
    const stored = await values.put(putOf(writerId))
    if (stored.kind !== 'stored') throw new Error(stored.kind)
    await writers.retire([writerId])
    const { address } = stored
    expect(await values.put(putOf(writerId, { address }))).toEqual(REFUSED)
    expect(await values.find(address)).toEqual(stored)
    const request = { asker: owner, namespace, id: newVersion(), keptMs: HOUR_MS }
    expect(await values.put(putOf(writerId, { request }))).toEqual(REFUSED)
    expect(await values.finishedPut(request)).toBeUndefined()
  })

  test('an upload is not started once the writer of its blob was retired', async () => {
    const start = (writerId: string) =>
      createUploadStore(database, 1e9).start({
        ...{ id: newUploadId(), namespace, owner, blobId: newBlobId(writerId), idleMsMax: HOUR_MS },
        header: {
          ...{ namespace, owner, contentType: '', address: undefined, scope: undefined },
          ...{
            timeToLiveMs: undefined,
            forJob: false,
            sha256: undefined,
            size: undefined,
            requestId: undefined,
          },
        },
      })
    const writerId = newWriterId()
    await writers.register(writerId, HOUR_MS)
    expect(await start(writerId)).toBeInstanceOf(Date)
    await writers.retire([writerId])
    expect(await start(writerId)).toEqual(REFUSED)
  })

  test('of a writer that lives nothing is unreferenced; whose lease is over is retired for good', async () => {
    const [lives, lapsed] = [newWriterId(), newWriterId()]
    const blobIds = [newBlobId(lives), newBlobId(lapsed)]
    await writers.register(lives, HOUR_MS)
    await writers.register(lapsed, 0)
    expect(await sweeps.unreferenced(blobIds)).toEqual([])
    await writers.retireLapsed()
    expect(await sweeps.unreferenced(blobIds)).toEqual([blobIds[1]])
    expect(await writers.renew([lives, lapsed])).toEqual([lives])
  })
})
