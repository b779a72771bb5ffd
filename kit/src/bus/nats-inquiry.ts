import type { NatsConnection } from '@nats-io/transport-node'
import { isRefusal } from './nats-connection.ts'

/** Why a server that was lost does not take us back. The client library dials on and keeps that to itself, so it is dialled once beside it. */
export class NatsInquiry {
  readonly #dial: () => Promise<NatsConnection>
  readonly #report: (error: unknown) => void
  readonly #everyMs: number
  #underWay: Promise<void> | undefined
  #begunAtMs = Number.NEGATIVE_INFINITY
  #told = ''

  /** @param report is told of what trying again does not mend, once for each reason in an outage */
  constructor(
    dial: () => Promise<NatsConnection>,
    report: (error: unknown) => void,
    everyMs: number,
  ) {
    this.#dial = dial
    this.#report = report
    this.#everyMs = everyMs
  }

  /** At each attempt of the library; does nothing where the last inquiry was just now. */
  begin(): void {
    const nowMs = performance.now()
    if (this.#underWay || nowMs - this.#begunAtMs < this.#everyMs) return
    this.#begunAtMs = nowMs
    this.#underWay = this.#dial()
      .then((connection) => connection.close())
      .catch((error) => {
        if (!isRefusal(error) || String(error) === this.#told) return
        this.#told = String(error)
        this.#report(error)
      })
      .finally(() => {
        this.#underWay = undefined
      })
  }

  /** The outage is over. */
  forget(): void {
    this.#told = ''
  }

  /** Resolves when nothing is under way. */
  async ended(): Promise<void> {
    await this.#underWay
  }
}
