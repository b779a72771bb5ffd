import { Offstage } from '@offstage/sdk/client'
import { retrying } from '@offstage/sdk/grpc'
import type { AttemptOrder } from '../domain/attempt.ts'

export interface ServiceAddresses {
  readonly scheduler: string
  readonly storage: string
}

/**
 * Where attempts get their clients from: one connection per thread, an identity per attempt. A
 * handler's client is there without waiting, so the thread connects before its first attempt.
 */
export class ClientSource {
  readonly #addresses: ServiceAddresses
  #root: Offstage | undefined
  #connecting: Promise<void> | undefined

  constructor({ scheduler, storage }: ServiceAddresses) {
    this.#addresses = { scheduler, storage }
  }

  get connected(): boolean {
    return this.#root !== undefined
  }

  /** Connects, once for all who ask meanwhile. The scheduler may be missing for a moment only. */
  connect(): Promise<void> {
    this.#connecting ??= retrying({}, () => Offstage.connect(this.#addresses))
      .then((root) => {
        this.#root = root
      })
      .finally(() => {
        this.#connecting = undefined
      })
    return this.#connecting
  }

  /** A client that acts for the job's owner (row J5); its starts are child jobs (row J11). */
  forJob(order: AttemptOrder, onWaiting: (waiting: boolean) => void): Offstage {
    if (this.#root === undefined) throw new Error('a client is asked for before the connection')
    const { jobId, namespace, owner = '', token = '', scope = '', traceparent = '' } = order
    return this.#root.forJob({ jobId, namespace, owner, token, scope, traceparent, onWaiting })
  }

  async close(): Promise<void> {
    await this.#root?.close()
  }
}
