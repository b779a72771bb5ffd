/** Data locks: what callers may ask of them, and who waits for them here, wired to what they need. */
import type { Service } from '@offstage/kit/lifecycle'
import { createHints } from '../events/hints.ts'
import type { JobEvents } from '../events/job-events.ts'
import type { LockStore } from '../ports/locks.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { LockLine } from './lock-line.ts'
import { createLocks, type Locks } from './locks.ts'

export interface LockingOptions {
  readonly store: LockStore
  /** The same for the sweep, which waits for no call's connection. */
  readonly workStore: LockStore
  readonly feed: JobFeed
  readonly events: JobEvents
}

export interface Locking {
  readonly locks: Locks
  /** Swept: tells those who wait here. */
  readonly line: LockLine
  /** Hears what is given back on other replicas. */
  readonly hints: Service
}

export function createLocking({ store, workStore, feed, events }: LockingOptions): Locking {
  const line = new LockLine({ store: workStore, feed })
  return {
    locks: createLocks({ store, line, events }),
    line,
    hints: createHints('lock hints', () => events.onLocksChanged(line.changed)),
  }
}
