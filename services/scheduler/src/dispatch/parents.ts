/**
 * Ends parents whose handlers have returned with the last of their attached children (row A5).
 *
 * 1. Whoever is told that a child has ended looks at once, many at a time; what is not told is found by the sweep.
 * 2. What it finds is the database's: a look too many changes nothing.
 */
import { createService, type Service } from '@offstage/kit/lifecycle'
import { type ParentEnd, parentEnd, parentOutcome } from '../domain/attached-children.ts'
import type { ChangedJob } from '../domain/held-job.ts'
import type { ParentStore } from '../ports/parents.ts'
import { retryConflicts } from '../statements/retry-conflicts.ts'

export interface ParentsOptions {
  readonly store: ParentStore
  changed(jobs: readonly ChangedJob[]): void
  onError(error: unknown): void
}

export interface Parents extends Service {
  /** These may have nothing left to wait for. */
  look(ids: Iterable<string>): void
  /** Looks for what nobody was told of. */
  sweep(): Promise<void>
}

const BATCH = 1_000
const NONE = { children: [], count: 0 }

export function createParents({ store, changed, onError }: ParentsOptions): Parents {
  const due = new Set<string>()
  let work: Promise<void> | undefined
  let isStopped = false

  const settle = async (ids: readonly string[]) => {
    const ends: ParentEnd[] = []
    for (const parent of await store.readWaiting(ids)) {
      const outcome = parentOutcome(parent)
      if (outcome === 'waits') continue
      const failed = outcome === 'fails-by-child' ? await store.readFailed(parent.id) : NONE
      ends.push(parentEnd(parent, outcome, failed))
    }
    if (ends.length > 0) changed(await retryConflicts(() => store.end(ends)))
  }
  const settleDue = async () => {
    while (due.size > 0 && !isStopped) {
      const ids = [...due].slice(0, BATCH)
      for (const id of ids) due.delete(id)
      await settle(ids)
    }
  }
  return {
    ...createService({
      name: 'parents of attached children',
      start: async () => {},
      async stop() {
        isStopped = true
        await work
      },
    }),
    look(ids) {
      for (const id of ids) due.add(id)
      if (due.size === 0 || isStopped) return
      work ??= settleDue()
        .catch(onError)
        .finally(() => {
          work = undefined
        })
    },
    async sweep() {
      for (let full = true; full && !isStopped; ) {
        const ids = await store.findDone(BATCH)
        if (ids.length > 0) await settle(ids)
        full = ids.length === BATCH
      }
    },
  }
}
