/**
 * One identity on one connection: what a client, its handles and its waits share. Cheap to make; it opens
 * its watch stream only when something waits.
 */
import type { IdleClock } from '../idle/clock.ts'
import type { Codec } from '../jobs/codec.ts'
import { Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import type { Foreground } from './foreground.ts'
import type { Identity } from './identity.ts'
import { type Follower, JobWatcher } from './job-watcher.ts'
import { SharedWaits } from './shared-waits.ts'
import { TempStorage } from './temp-storage.ts'
import { ValueRefreshes } from './value-refreshes.ts'

export interface SessionOptions {
  readonly clock?: IdleClock
  /** That of starts whose definition names none. */
  readonly codec?: Codec
  /** That of what is put into storage; its wrappers are known to all that is read. */
  readonly valueCodec?: Codec
  /** What runs jobs in this process; in a job that of the client which runs it. */
  readonly foreground?: Foreground
  /** Those of clients with the same rights, of which its waits are some. Default: it waits alone. */
  readonly waits?: { readonly among: SharedWaits; readonly name: string }
}

export class Session extends Calls {
  readonly codec: Codec | undefined
  readonly valueCodec: Codec | undefined
  readonly watcher: Follower
  /** Of the clients of jobs that are made of this one. */
  readonly sharedWaits = new SharedWaits()
  readonly storage: TempStorage
  /** What runs jobs in this process; undefined for nothing. */
  readonly foreground: Foreground | undefined
  /** The lease by which it has its namespace exclusively: its starts belong to that. Empty for none. */
  leaseId = ''
  #waits = 0
  #refreshes: ValueRefreshes | undefined

  constructor(connection: Connection, identity: Identity, options: SessionOptions = {}) {
    super(connection, identity, options.clock)
    this.codec = options.codec
    this.valueCodec = options.valueCodec
    this.foreground = options.foreground
    const { waits } = options
    const { namespace } = identity
    this.watcher =
      waits?.among.memberOf(waits.name, this) ??
      new JobWatcher({ namespace, clock: this.clock, call: (work) => work(this) })
    this.storage = new TempStorage(this, options.valueCodec)
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

  /** Refreshes of reusable values between this process and others; one for each client. */
  get refreshes(): ValueRefreshes {
    this.#refreshes ??= new ValueRefreshes(this)
    return this.#refreshes
  }

  /** Ends the streams; the connection stays. */
  close(): void {
    this.#refreshes?.close()
    this.watcher.close()
  }
}
