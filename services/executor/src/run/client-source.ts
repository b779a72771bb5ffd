import { Offstage } from '@offstage/sdk/client'
import type { AttemptOrder } from '../domain/attempt.ts'

export interface ServiceAddresses {
  readonly scheduler: string
  readonly storage: string
}

/** What an attempt's client asks of its attempt. */
export interface ClientOwner {
  /** Aborted when the attempt is to stop. */
  readonly signal: AbortSignal
  onWaiting(waiting: boolean): void
}

/**
 * Where attempts get their clients from: one connection per thread, an identity per attempt. The
 * first client dials; a scheduler that is away then holds up the call that needs it, and no handler
 * that makes none.
 */
export class ClientSource {
  readonly #addresses: ServiceAddresses
  #root: Offstage | undefined

  constructor({ scheduler, storage }: ServiceAddresses) {
    this.#addresses = { scheduler, storage }
  }

  /** A client that acts for the job's owner (row J5); its starts are child jobs (row J11). */
  forJob(order: AttemptOrder, { signal, onWaiting }: ClientOwner): Offstage {
    this.#root ??= this.#dial()
    const { jobId, namespace, owner = '', token = '', scope = '', traceparent = '' } = order
    return this.#root.forJob({
      jobId,
      namespace,
      owner,
      token,
      scope,
      traceparent,
      signal,
      onWaiting,
    })
  }

  #dial(): Offstage {
    const root = Offstage.dial(this.#addresses)
    root.reach().catch(() => {
      // The calls of the handler tell of it, if it lasts. Only the clocks stay uncompared.
    })
    return root
  }
}
