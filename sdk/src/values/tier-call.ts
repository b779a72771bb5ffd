import { ReusableCycleError } from './computing.ts'
import type { RemoteCall, RemoteTier, RemoteValue } from './remote-tier.ts'

/** A call the other side is asked to answer, and what it said of the value besides the value. */
export class TierRequest {
  readonly call: RemoteCall
  readonly #tier: RemoteTier
  readonly #onFailure: () => void
  /** Undefined: it had nothing, and the value was computed here. */
  answer: RemoteValue | undefined

  constructor(tier: RemoteTier, call: RemoteCall, onFailure: () => void) {
    this.#tier = tier
    this.call = call
    this.#onFailure = onFailure
  }

  /** Asks the other side, and computes here when it has nothing (row C8). */
  async fetch(compute: () => unknown): Promise<unknown> {
    try {
      this.answer = await this.#tier.fetch(this.call)
    } catch (error) {
      if (this.call.signal?.aborted) throw error
      this.#onFailure()
      if (this.#tier.isRequired || error instanceof ReusableCycleError) throw error
    }
    return this.answer === undefined ? compute() : this.answer.value
  }

  /** Where the running code is asked for by this very call, on its way through other processes: it cannot wait for it. */
  cycle(): ReusableCycleError | undefined {
    return this.#tier.cycleOf?.(this.call)
  }

  /** Tells the other side of a value computed here; the caller does not wait for it. */
  async offer(value: unknown, tags: readonly string[]): Promise<void> {
    try {
      await this.#tier.offer(this.call, { value, ageMs: 0, tags })
    } catch {
      this.#onFailure()
    }
  }
}
