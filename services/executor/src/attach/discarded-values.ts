/**
 * Deletes what the scheduler says nobody needs any more, such as the parameters of jobs that have ended: a few at a time, each
 * as its owner. It is a service to storage, not to any job: what cannot be deleted ends by itself, and is not told of again.
 */
import type { Logger } from '@offstage/kit/telemetry'
import type { DiscardedValue } from '@offstage/proto/executor'
import { type ConnectTls, Offstage } from '@offstage/sdk/client'

const DELETES_MAX = 8
const WAITING_MAX = 10_000
/** How long deletes under way may take at the end. */
const STOP_GRACE_MS = 1_000

export interface DiscardedValuesOptions {
  readonly scheduler: string
  readonly storage: string
  /** Absent: plain text. */
  readonly tls?: ConnectTls
  readonly log: Logger
}

export class DiscardedValues {
  readonly #options: DiscardedValuesOptions
  readonly #waiting: DiscardedValue[] = []
  readonly #active = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #client: Offstage | undefined

  constructor(options: DiscardedValuesOptions) {
    this.#options = options
  }

  add(values: readonly DiscardedValue[]): void {
    for (const value of values) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(value)
    }
    this.#next()
  }

  /** Begins no more, and ends what is under way after a moment. */
  async stop(): Promise<void> {
    this.#waiting.length = 0
    const timer = setTimeout(() => this.#stop.abort(), STOP_GRACE_MS)
    await Promise.all(this.#active)
    clearTimeout(timer)
    await this.#client?.close()
  }

  #next(): void {
    while (this.#active.size < DELETES_MAX) {
      const value = this.#waiting.shift()
      if (value === undefined) return
      const deleted = this.#delete(value).finally(() => {
        this.#active.delete(deleted)
        this.#next()
      })
      this.#active.add(deleted)
    }
  }

  async #delete({ address, namespace, owner, token }: DiscardedValue): Promise<void> {
    const { scheduler, storage, tls = false, log } = this.#options
    this.#client ??= Offstage.dial({ scheduler, storage, tls })
    const nobodys = { jobId: '', scope: '', traceparent: '', onWaiting() {} }
    const client = this.#client.forJob({ ...nobodys, namespace, owner, token })
    try {
      await client.storage.delete(address, { signal: this.#stop.signal })
    } catch (err) {
      log.warn({ address, err }, 'a value that nobody needs was not deleted; it ends by itself')
    } finally {
      await client.close()
    }
  }
}
