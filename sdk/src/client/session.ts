/**
 * One identity on one connection: what a client, its handles and its waits share. Cheap to make; it opens
 * its watch stream only when something waits.
 */
import type { IdleClock } from '../idle/clock.ts'
import { Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import type { Identity } from './identity.ts'
import { JobWatcher } from './job-watcher.ts'
import { TempStorage } from './temp-storage.ts'

export class Session extends Calls {
  readonly watcher: JobWatcher
  readonly storage: TempStorage
  #waits = 0

  constructor(connection: Connection, identity: Identity, clock?: IdleClock) {
    super(connection, identity, clock)
    this.watcher = new JobWatcher(this)
    this.storage = new TempStorage(this)
  }

  /** Says that the job waits while `work` goes on; several waits at a time count as one (row J11). */
  async waiting<T>(work: () => Promise<T>): Promise<T> {
    const { onWaiting } = this.identity
    if (onWaiting === undefined) return work()
    if (this.#waits++ === 0) onWaiting(true)
    try {
      return await work()
    } finally {
      if (--this.#waits === 0) onWaiting(false)
    }
  }

  /** Ends the watch stream; the connection stays. */
  close(): void {
    this.watcher.close()
  }
}
