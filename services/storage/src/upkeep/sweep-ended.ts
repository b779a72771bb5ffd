import type { BlobStore } from '../ports/blobs.ts'
import type { Hints } from '../ports/hints.ts'
import type { SweepStore } from '../ports/sweeps.ts'
import type { BlobWriters } from '../ports/writers.ts'

export const BATCH = 500
/** So long a late put is told that its scope is closed, rather than that there is none. */
const CLOSED_SCOPE_KEPT_MS = 24 * 60 * 60 * 1000

export interface SweepParts {
  readonly store: SweepStore
  readonly blobs: BlobStore
  readonly writers: BlobWriters
  readonly hints: Hints
}

/** Deletes what has ended, in batches (rows S2, S6): scopes, values, uploads, and what is remembered. */
export async function sweepEnded(parts: SweepParts, signal: AbortSignal): Promise<void> {
  const { store } = parts
  await inBatches(signal, () => store.closeExpiredScopes(BATCH))
  await inBatches(signal, () => deleteEndedValues(parts))
  await inBatches(signal, () => store.deleteEndedUploads(BATCH))
  await inBatches(signal, () => store.forgetPuts(BATCH))
  await inBatches(signal, () => store.forgetScopes(CLOSED_SCOPE_KEPT_MS, BATCH))
  await inBatches(signal, () => store.forgetUsage(BATCH))
}

/** Deletes the blobs that replaced and deleted values have left. */
export async function sweepGarbage(parts: SweepParts, signal: AbortSignal): Promise<void> {
  const faults: unknown[] = []
  await inBatches(signal, () => removeGarbage(parts, faults))
  report(faults)
}

/**
 * Deletes blobs that no row points to: half-written by a process that died, or left by one that died
 * after deleting the row. Those that somebody may be writing are left alone (see blob-writers.ts).
 */
export async function sweepOrphans(
  { store, blobs, writers }: SweepParts,
  signal: AbortSignal,
): Promise<void> {
  await writers.turn()
  const faults: unknown[] = []
  for await (const batch of blobs.list()) {
    signal.throwIfAborted()
    await remove(blobs, await store.unreferenced(batch), faults)
  }
  report(faults)
}

/** Until a batch is not full. */
export async function inBatches(signal: AbortSignal, batch: () => Promise<number>): Promise<void> {
  do signal.throwIfAborted()
  while ((await batch()) >= BATCH)
}

async function deleteEndedValues({ store, hints }: SweepParts): Promise<number> {
  const gone = await store.deleteEndedValues(BATCH)
  for (const value of gone) hints.value('expired', value)
  return gone.length
}

/**
 * The file goes first: a row without a file is no harm, a file without a row waits for the orphans' sweep.
 * A file that cannot be removed goes behind all others, so that it holds up none of them.
 */
async function removeGarbage({ store, blobs }: SweepParts, faults: unknown[]): Promise<number> {
  const garbage = await store.garbageBlobs(BATCH)
  const stuck = await remove(blobs, garbage, faults)
  const removed = garbage.filter((blobId) => !stuck.has(blobId))
  if (removed.length > 0) await store.forgetGarbage(removed)
  if (stuck.size > 0) await store.postponeGarbage([...stuck])
  return removed.length > 0 ? garbage.length : 0
}

/** Resolves to those that cannot be removed. */
async function remove(
  blobs: BlobStore,
  blobIds: readonly string[],
  faults: unknown[],
): Promise<Set<string>> {
  const stuck = new Set<string>()
  for (const blobId of blobIds) {
    try {
      await blobs.delete(blobId)
    } catch (error) {
      stuck.add(blobId)
      faults.push(error)
    }
  }
  return stuck
}

/** Once for all of a sweep. */
function report(faults: readonly unknown[]): void {
  const [cause] = faults
  if (cause === undefined) return
  throw new Error(`files that could not be removed: ${faults.length}`, { cause })
}
