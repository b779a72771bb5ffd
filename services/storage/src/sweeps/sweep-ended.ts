import type { BlobStore, BlobWriters, Hints, SweepStore } from '../ports.ts'

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
export function sweepGarbage(parts: SweepParts, signal: AbortSignal): Promise<void> {
  return inBatches(signal, () => removeGarbage(parts))
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
  for await (const batch of blobs.list()) {
    signal.throwIfAborted()
    for (const blobId of await store.unreferenced(batch)) await blobs.delete(blobId)
  }
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

/** The file goes first: a row without a file is no harm, a file without a row waits for the orphans' sweep. */
async function removeGarbage({ store, blobs }: SweepParts): Promise<number> {
  const garbage = await store.garbageBlobs(BATCH)
  for (const blobId of garbage) await blobs.delete(blobId)
  if (garbage.length > 0) await store.forgetGarbage(garbage)
  return garbage.length
}
