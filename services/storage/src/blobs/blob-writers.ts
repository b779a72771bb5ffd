/**
 * Who may be writing which blobs, known to all services over one folder: each has a row with a lease, and
 * its blobs carry the row's id in their names. No clock but the database's is asked, and no file's age.
 *
 * 1. A new blob is begun under an id whose row is there; the row is renewed while the service lives.
 * 2. The commit that points a row to a new blob holds the writer's row, and is refused when that is gone.
 * 3. A sweep removes an unreferenced file only when its writer's row is gone. By (2) all that was
 *    committed before is visible then, and nothing is committed after: an acknowledged blob is never taken,
 *    however long its service hung.
 * 4. Ids are never used again. With each sweep the service takes a new one, and retires those it has no
 *    open blob under: so its own left-overs, such as those of a commit whose outcome nobody knows, are
 *    swept as well.
 */
import { createLoop, createService, type Loop, type Service } from '@offstage/kit/lifecycle'
import { newWriterId } from '../new-ids.ts'
import type { BlobStore } from '../ports/blobs.ts'
import type { BlobWriters, WriterStore } from '../ports/writers.ts'

const RENEWALS_A_LEASE = 4
const RENEW_EVERY_MS_MAX = 60_000
const RENEW_TIMEOUT_MS = 30_000

export interface BlobWritersOptions {
  readonly store: WriterStore
  readonly blobs: BlobStore
  readonly leaseMs: number
  /** Told of renewals that failed; they are tried again. */
  onError(error: unknown): void
}

/** What was begun under an id. */
interface Writing {
  open: number
  used: boolean
}

export function createBlobWriters(options: BlobWritersOptions): BlobWriters & Service {
  const { store, blobs, leaseMs, onError } = options
  const ids = new Map<string, Writing>()
  let current: Promise<string> | undefined

  async function register(): Promise<string> {
    const id = newWriterId()
    await store.register(id, leaseMs)
    ids.set(id, { open: 0, used: false })
    return id
  }

  function begin(): Promise<string> {
    const begun = register()
    current = begun
    begun.catch(() => {
      if (current === begun) current = undefined
    })
    return begun
  }

  function forget(id: string): void {
    ids.delete(id)
  }

  /** An id that is not retired before the blob is open. */
  async function take(): Promise<{ id: string; writing: Writing }> {
    for (;;) {
      const id = await (current ?? begin())
      const writing = ids.get(id)
      if (writing !== undefined) {
        writing.open += 1
        writing.used = true
        return { id, writing }
      }
      current = undefined
    }
  }

  async function renew(): Promise<void> {
    const held = [...ids.keys()]
    const kept = new Set(await store.renew(held))
    for (const id of held) if (!kept.has(id)) forget(id)
  }

  const renewing: Loop = createLoop({
    name: 'renewal of the leases on blobs',
    everyMs: Math.min(leaseMs / RENEWALS_A_LEASE, RENEW_EVERY_MS_MAX),
    timeoutMs: RENEW_TIMEOUT_MS,
    run: renew,
    onError,
  })

  const service = createService({
    name: 'leases on blobs',
    async start() {
      await begin()
      await renewing.start()
    },
    async stop() {
      await renewing.stop()
      const held = [...ids.keys()]
      ids.clear()
      // Without the database the leases run out by themselves.
      await store.retire(held).catch(onError)
    },
  })

  return {
    ...service,
    async create() {
      const { id, writing } = await take()
      const close = () => (writing.open -= 1)
      try {
        const writer = await blobs.create(id)
        return {
          ...writer,
          async sync() {
            try {
              await writer.sync()
            } catch (error) {
              // It may have been swept, with the row of its writer; what comes next is not to be lost as well.
              await renew().catch(onError)
              throw error
            }
          },
          async [Symbol.asyncDispose]() {
            await writer[Symbol.asyncDispose]()
            close()
          },
        }
      } catch (error) {
        close()
        throw error
      }
    },
    forget,
    async turn() {
      // After a stall of the database the leases of the living have run out as well.
      await renew()
      const id = current && (await current)
      if (id !== undefined && ids.get(id)?.used === true) await begin()
      const newest = current && (await current)
      const idle = [...ids].filter(([id, { open }]) => open === 0 && id !== newest)
      const retired = idle.map(([id]) => id)
      for (const id of retired) ids.delete(id)
      if (retired.length > 0) await store.retire(retired)
      await store.retireLapsed()
    },
  }
}
