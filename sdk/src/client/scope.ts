/**
 * A scope kept alive (row S2): its lease is renewed at a third of its length. Renewals that fail are repeated
 * until the lease has run out by this client's clock; then the scope is lost, and its signal says so.
 */
import { randomUUID } from 'node:crypto'
import { durationFrom } from '@offstage/proto/durations'
import { OffstageError } from '../grpc/mod.ts'
import type { IdleTimer } from '../idle/clock.ts'
import type { Calls } from './calls.ts'
import type { Scope, ScopeOptions } from './storage-calls.ts'

const LEASE_MS_DEFAULT = 60_000

/** Opens a scope; its renewals do not keep the process alive. */
export async function openScope(calls: Calls, options: ScopeOptions): Promise<Scope> {
  const { values } = calls.connection
  const { leaseMs = LEASE_MS_DEFAULT, displayName = '', signal } = options
  const { namespace } = calls.identity
  const request = { namespace, lease: durationFrom(leaseMs), displayName, requestId: randomUUID() }
  // An answer that is lost leaves a scope nobody renews: it ends by itself.
  const answer = await calls.callStorage(values.openScope.bind(values), request, { signal })
  return new KeptScope(calls, answer.scope, leaseMs)
}

class KeptScope implements Scope {
  readonly id: string
  readonly #calls: Calls
  readonly #leaseMs: number
  readonly #lost = new AbortController()
  #renewedAtMs: number
  #timer: IdleTimer | undefined
  #closing: Promise<void> | undefined

  constructor(calls: Calls, id: string, leaseMs: number) {
    this.id = id
    this.#calls = calls
    this.#leaseMs = leaseMs
    this.#renewedAtMs = calls.clock.now()
    this.#renewLater()
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  #renewLater(): void {
    const { clock } = this.#calls
    this.#timer = clock.startTimer(() => void this.#renew(), this.#leaseMs / 3, false)
  }

  async #renew(): Promise<void> {
    const { connection, clock } = this.#calls
    const { values } = connection
    const askedAtMs = clock.now()
    try {
      const method = values.keepScopeAlive.bind(values)
      const terms = { deadlineMs: this.#leaseMs / 3, attempts: 1 }
      await this.#calls.callStorage(method, { scope: this.id }, terms)
      this.#renewedAtMs = askedAtMs
    } catch (error) {
      const gone = error instanceof OffstageError && error.reason === 'SCOPE_NOT_FOUND'
      if (gone || clock.now() - this.#renewedAtMs >= this.#leaseMs) {
        this.#lost.abort(new Error(`scope ${this.id} was lost`, { cause: error }))
        return
      }
    }
    if (this.#closing === undefined) this.#renewLater()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#timer?.cancel()
    const { values } = this.#calls.connection
    await this.#calls.callStorage(values.closeScope.bind(values), { scope: this.id })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
