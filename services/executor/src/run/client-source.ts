import { type ConnectTls, Offstage } from '@offstage/sdk/client'
import type { Codec } from '@offstage/sdk/jobs'
import type { AttemptOrder } from '../domain/attempt.ts'
import type { AttemptTokens } from './token-desk.ts'

export interface Services {
  /** `host:port`. */
  readonly scheduler: string
  /** `host:port`. */
  readonly storage: string
  /** Absent: plain text. */
  readonly tls?: ConnectTls
}

/** What an attempt's client asks of its attempt. */
export interface ClientOwner {
  /** Aborted when the attempt is to stop. */
  readonly signal: AbortSignal
  onWaiting(waiting: boolean): void
  /** What it acts by; undefined in development mode: by the name of the owner. */
  readonly tokens: AttemptTokens | undefined
  /** Whether it acts as its owner could; not where it may be more, as a privileged method. */
  readonly hasOwnersRights: boolean
  /** That of its method. */
  readonly codec: Codec | undefined
}

/**
 * Where attempts get their clients from: one connection per thread, an identity per attempt. The
 * first client dials; a scheduler that is away then holds up the call that needs it, and no handler
 * that makes none.
 */
export class ClientSource {
  readonly #services: Services
  #root: Offstage | undefined

  constructor({ scheduler, storage, tls }: Services) {
    this.#services = { scheduler, storage, tls }
  }

  /** A client that acts for the job's owner (row J5); its starts are child jobs (row J11). */
  forJob(order: AttemptOrder, { tokens, ...owned }: ClientOwner): Offstage {
    this.#root ??= this.#dial()
    const { jobId, namespace, owner = '', scope = '', traceparent = '' } = order
    return this.#root.forJob({
      jobId,
      namespace,
      owner,
      token: tokens === undefined ? '' : () => tokens.next(),
      scope,
      traceparent,
      ...owned,
    })
  }

  #dial(): Offstage {
    const root = Offstage.dial({ ...this.#services, tls: this.#services.tls ?? false })
    root.reach().catch(() => {
      // The calls of the handler tell of it, if it lasts. Only the clocks stay uncompared.
    })
    return root
  }
}
