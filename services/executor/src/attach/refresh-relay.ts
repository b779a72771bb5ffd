/** Refreshes of reusable values between the threads of this executor and the other processes of the namespace (row C6). */
import { OffstageError } from '@offstage/sdk/grpc'
import type { RefreshPort } from '@offstage/sdk/values'
import type { PassOnRefresh } from '../ports.ts'

export interface RefreshRelayOptions {
  /** That of the executor's own client. */
  readonly port: RefreshPort
  /** Told of every scope that is refreshed. */
  onRefreshed(scope: Parameters<PassOnRefresh>[0]): void
}

export class RefreshRelay {
  readonly #options: RefreshRelayOptions
  #subscription: Disposable | undefined

  constructor(options: RefreshRelayOptions) {
    this.#options = options
  }

  start(): void {
    const { port, onRefreshed } = this.#options
    this.#subscription ??= port.subscribe(({ scope }) => onRefreshed(scope))
  }

  stop(): void {
    this.#subscription?.[Symbol.dispose]()
  }

  readonly passOn: PassOnRefresh = async (scope) => {
    try {
      await this.#options.port.publish({ origin: 'executor', scope })
      return undefined
    } catch (error) {
      if (error instanceof OffstageError || error instanceof TypeError) return error.message
      throw error
    }
  }
}
